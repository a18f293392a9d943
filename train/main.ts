/**
 * Makes `model/vectors.bin` from the training pairs: `npm run train [-- pairs.jsonl.gz] [--seed=1] [--out=FILE]`.
 * Minutes on one core; the same seed gives the same file.
 */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { writeModel } from './artefact.ts';
import { learn } from './learn.ts';
import { createRandom, readCorpus } from './pairs.ts';
import { startVectors } from './start.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    out: { type: 'string', default: 'model/vectors.bin' },
    epochs: { type: 'string', default: '10' },
    rate: { type: 'string', default: '0.3' },
    temperature: { type: 'string', default: '0.14' },
    dims: { type: 'string', default: '192' },
    words: { type: 'string', default: '33000' },
  },
});
const file = positionals[0] ?? '../shared/eval/train/pairs.jsonl.gz';
if (!existsSync(file)) {
  console.error(`There are no training pairs at ${file}: name the file on the command line.`);
  process.exit(2);
}

const began = performance.now();
const seconds = () => `${((performance.now() - began) / 1000).toFixed(0)} s`;
const dims = Number(values.dims);
const random = createRandom(Number(values.seed));
const corpus = readCorpus(file, Number(values.words));
console.log(`${corpus.pairs.length} pairs, ${corpus.vocabulary.length} words (${seconds()})`);
const vectors = startVectors(corpus, dims, random);
console.log(`starting vectors (${seconds()})`);
writeModel(`${values.out}`, corpus.vocabulary, vectors, dims);
learn(corpus, vectors, {
  dims,
  epochs: Number(values.epochs),
  batch: 512,
  temperature: Number(values.temperature),
  rate: Number(values.rate),
  random,
  onEpoch(epoch, loss) {
    console.log(`epoch ${epoch}: loss ${loss.toFixed(4)} (${seconds()})`);
    writeModel(values.out, corpus.vocabulary, vectors, dims);
  },
});
console.log(`wrote ${values.out} (${seconds()})`);
