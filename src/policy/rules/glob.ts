/**
 * Whether a text fits a pattern in which `*` stands for any text, and everything else for itself. Linear in text times
 * stars: it goes back to the last star only, so no pattern can make it take long.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let [p, t] = [0, 0];
  let star = -1;
  let resume = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      resume = t;
    } else if (pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star !== -1) {
      p = star + 1;
      t = ++resume;
    } else return false;
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** The same for many texts: most patterns have a star at an end, or none. */
export function compileGlob(pattern: string): (text: string) => boolean {
  const inner = pattern.replace(/^\*|\*$/g, '');
  if (inner.includes('*')) return (text) => matchesGlob(pattern, text);
  const [isOpenBefore, isOpenAfter] = [pattern.startsWith('*'), pattern.endsWith('*')];
  if (isOpenBefore && isOpenAfter) return (text) => text.includes(inner);
  if (isOpenBefore) return (text) => text.endsWith(inner);
  return isOpenAfter ? (text) => text.startsWith(inner) : (text) => text === inner;
}
