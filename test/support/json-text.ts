import fc from 'fast-check';

/** JSON text nobody would write by hand: white space, escapes, numbers of any length. */
const number = fc.oneof(
  fc.constantFrom('0', '-0', '-0.0', '1.0', '1e400', '9007199254740993', '1E-7', '0.1e+3'),
  fc.stringMatching(/^[1-9][0-9]{0,399}$/),
);
const character = fc.oneof(
  fc.constantFrom(
    '\\u0000',
    '\\ud800',
    '\\uD83D\\uDE00',
    '\\n',
    '\\"',
    '\\\\',
    '\\/',
    'é',
    '漢',
    '😀',
    '\u2028',
  ),
  fc.stringMatching(/^[a-z0-9 ]$/),
);
const string = fc.array(character, { maxLength: 8 }).map((parts) => `"${parts.join('')}"`);
const space = fc.constantFrom('', '', '', ' ', '\n', '\r\n\t');
export const { json: jsonText } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    number,
    string,
    fc.constantFrom('true', 'false', 'null'),
    fc
      .tuple(space, fc.array(tie('json'), { maxLength: 4 }))
      .map(([gap, items]) => `[${gap}${items.join(`,${gap}`)}]`),
    fc
      .tuple(space, fc.array(fc.tuple(string, tie('json')), { maxLength: 4 }))
      .map(
        ([gap, members]) =>
          `{${gap}${members.map(([key, value]) => `${key}${gap}:${value}`).join(',')}${gap}}`,
      ),
  ),
}));

/** An object of such texts; keys that look like integers stand where they stand. */
export const jsonObject = fc
  .array(fc.tuple(fc.oneof(string, fc.constantFrom('"10"', '"2"', '"__proto__"')), jsonText), {
    maxLength: 5,
  })
  .map((members) => `{${members.map(([key, value]) => `${key}: ${value}`).join(', ')}}`);
