/** Misspelled queries, the same for the same seed: so that what typos cost can be measured and repeated. */

/** Words of fewer letters are seldom misspelled, and hardly ever recognised. */
const fewestLetters = 5;
const alphabet = 'abcdefghijklmnopqrstuvwxyz';

/** Numbers of 0 up to 1, the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b_79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A share of the words, each with one letter left out, put in, exchanged or swapped; never the first one. */
export function misspell(text: string, share: number, random: () => number): string {
  return text.replace(/[A-Za-z]+/g, (word) =>
    word.length >= fewestLetters && random() < share ? editOnce(word, random) : word,
  );
}

function editOnce(word: string, random: () => number): string {
  const at = 1 + Math.floor(random() * (word.length - 1));
  const letter = alphabet[Math.floor(random() * alphabet.length)]!;
  const [head, tail] = [word.slice(0, at), word.slice(at + 1)];
  switch (Math.floor(random() * 4)) {
    case 0:
      return head + tail;
    case 1:
      return head + letter + word.slice(at);
    case 2:
      return head + letter + tail;
    default:
      return tail === '' ? head + letter : head + tail[0] + word[at] + tail.slice(1);
  }
}
