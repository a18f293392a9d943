#!/usr/bin/env bash
# V8's Set (and Map) in Node 24.21.0: a small set through which many objects pass keeps those that have left it alive from one
# young collection to the next.
#
# When its table is rehashed, the old table points to its successor, for iterators that are under way. One table that was moved
# to the old generation thus holds all that follow it, and what was in them, until a full collection. Seen on 2026-11-30, three
# million objects passing through a set of sixteen, and through an array of sixteen places:
#
#   {"way":"set","young":8,"youngMs":25,"ms":348}
#   {"way":"array","young":265,"youngMs":13,"ms":108}
#   a young collection took 64 times as long
#
# (8 to 18 collections of the set, 23 to 184 ms, in eleven runs; there are fewer, since full ones come between.) Fails when it
# is less than ten times as long. What we made of it: src/base/slot-list.ts holds what is under way in an array.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund node@24.21.0

cat >passing.mjs <<'JS'
import { performance, PerformanceObserver } from 'node:perf_hooks';

const [, , way] = process.argv;
const places = 16;
const passing = 3_000_000;
let youngMs = 0;
let young = 0;
const watch = new PerformanceObserver((list) => {
  for (const { detail, duration } of list.getEntries())
    if (detail.kind === 1) {
      young++;
      youngMs += duration;
    }
});
watch.observe({ entryTypes: ['gc'] });

const make = (i) => ({ i, text: [i, i, i, i, i, i, i, i] });
const set = new Set();
const array = new Array(places).fill(null);
const leave = new Array(places).fill(null);
/** One comes, the one before sixteen goes. */
const pass = (i) => {
  const at = i % places;
  const item = make(i);
  if (way === 'set') {
    if (leave[at] !== null) set.delete(leave[at]);
    set.add(item);
    leave[at] = item;
  } else array[at] = item;
};
for (let i = 0; i < places; i++) pass(i);
// What is there now grows old, as it does in a moment of rest.
globalThis.gc();
const began = performance.now();
for (let i = 0; i < passing; i++) {
  pass(i);
  // Observers are told between turns.
  if (i % 100_000 === 0) await new Promise((resolve) => setImmediate(resolve));
}
await new Promise((resolve) => setTimeout(resolve, 50));
console.log(JSON.stringify({ way, young, youngMs: Math.ceil(youngMs), ms: Math.round(performance.now() - began) }));
JS

node_modules/.bin/node --version
of_set=$(node_modules/.bin/node --expose-gc passing.mjs set)
of_array=$(node_modules/.bin/node --expose-gc passing.mjs array)
echo "$of_set"
echo "$of_array"
node_modules/.bin/node -e '
const [set, array] = process.argv.slice(1).map((text) => JSON.parse(text));
const ratio = set.youngMs / set.young / (array.youngMs / array.young);
console.log(`a young collection took ${ratio.toFixed(0)} times as long`);
if (!(ratio >= 10)) process.exit(1);
' "$of_set" "$of_array"
