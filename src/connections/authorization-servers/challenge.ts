import { isScope } from '../providers/oauth-provider.ts';

/** One challenge of a WWW-Authenticate field (RFC 9110 section 11.6.1): its scheme and parameters, names in lower case. */
export type Challenge = {
  readonly scheme: string;
  readonly resourceMetadata: string | null;
  readonly scopes: readonly string[];
  readonly error: string | null;
};

/** Longer fields than any real one are not worth reading. */
const maxChars = 8_192;
const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const piece = new RegExp(`(${token})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))|(${token})`, 'gy');

/** The challenges that an OAuth client understands: Bearer and DPoP. */
export function parseChallenges(field: string | undefined): readonly Challenge[] {
  const text = (field ?? '').slice(0, maxChars);
  const found: { scheme: string; parameters: Map<string, string> }[] = [];
  piece.lastIndex = 0;
  for (let at = 0; at < text.length; at = piece.lastIndex) {
    while (/[\s,]/.test(text[at] ?? '')) at++;
    piece.lastIndex = at;
    const match = piece.exec(text);
    if (match === null) break;
    const [, name, quoted, plain, scheme] = match;
    if (scheme !== undefined) found.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    else
      found
        .at(-1)
        ?.parameters.set(String(name).toLowerCase(), plain ?? (quoted ?? '').replace(/\\(.)/g, '$1'));
  }
  return found
    .filter(({ scheme }) => scheme === 'bearer' || scheme === 'dpop')
    .map(({ scheme, parameters }) => ({
      scheme,
      resourceMetadata: parameters.get('resource_metadata') ?? null,
      scopes: parseScopes(parameters.get('scope')),
      error: parameters.get('error') ?? null,
    }));
}

/** RFC 6749 section 3.3; whatever else stands there is nothing to ask a user for. */
function parseScopes(text: string | undefined): string[] {
  const scopes = (text ?? '').split(' ').filter(isScope);
  return [...new Set(scopes)].slice(0, 100);
}
