import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { assemble, kernels } from '../../train/kernels.ts';

for (const { source, compiled } of kernels)
  test(`${compiled.split('/').at(-1)} is what its source assembles to, byte for byte`, async () => {
    assert.deepEqual(
      Buffer.from(await assemble(source)),
      readFileSync(compiled),
      'run `npm run kernel` and commit the result',
    );
  });
