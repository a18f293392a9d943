import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { calibration, finalScore, semanticScore } from './score.ts';

const unit = fc.double({ min: 0, max: 1, noNaN: true });

test('the documented example holds: semantic .92 and popularity .85 make .89', () => {
  assert.equal(finalScore(0.92, 0.85, 0.2).toFixed(2), '0.89');
});

test('popularity never lifts a hit above one that is more than a quarter better', () => {
  fc.assert(
    fc.property(unit, unit, unit, (semantic, popularA, popularB) => {
      const better = semantic * 1.251;
      assert.ok(finalScore(semantic, popularA, 0.2) <= finalScore(better, popularB, 0.2) + 1e-12);
    }),
  );
});

test('a semantic score lies in 0..1 and falls with the distance to the best hit', () => {
  fc.assert(
    fc.property(unit, unit, fc.double({ min: -50, max: 50, noNaN: true }), (a, b, evidence) => {
      const [near, far] = [Math.min(a, b), Math.max(a, b)].map((x) =>
        semanticScore(x, evidence, calibration),
      );
      assert.ok(near !== undefined && far !== undefined && far >= 0 && near <= 1 && near >= far);
    }),
  );
});
