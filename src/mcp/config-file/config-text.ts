import { JsonFault, scanJson } from '../../base/json-scanner.ts';
import { Problem } from '../../base/problem.ts';

/**
 * The text of a configuration file as people and editors write it: JSON with comments and trailing commas (JSONC), in
 * UTF-8 or, from some Windows tools, UTF-16. A fault is told with file, line and column, and without the text, which may
 * hold secrets.
 */
export function parseConfigText(given: string | Buffer, file: string): unknown {
  const text = blankComments(typeof given === 'string' ? given : decode(given)).replace(/^\ufeff/, ' ');
  try {
    scanJson(Buffer.from(text));
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error;
    const before = Buffer.from(text).toString('utf8', 0, error.at);
    const line = before.split('\n').length;
    const column = before.length - before.lastIndexOf('\n');
    throw new Problem('setup', `${file}:${line}:${column}: the MCP configuration is not JSON there`);
  }
  return JSON.parse(text);
}

function decode(bytes: Buffer): string {
  const isLittleEndian = bytes[0] === 0xff && bytes[1] === 0xfe;
  const isBigEndian = bytes[0] === 0xfe && bytes[1] === 0xff;
  if (isLittleEndian || isBigEndian)
    return new TextDecoder(isBigEndian ? 'utf-16be' : 'utf-16le').decode(bytes);
  return bytes.toString();
}

/** A string, a comment of either kind, or a comma with nothing but space and comments before the closing bracket. */
const tokens =
  /"(?:[^"\\]|\\.)*"?|\/\/[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|,(?=(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*[\]}])/g;

/** Comments and trailing commas become spaces, so that everything else stays on its line and column. */
function blankComments(text: string): string {
  return text.replace(tokens, (token) => (token.startsWith('"') ? token : token.replace(/[^\n]/g, ' ')));
}
