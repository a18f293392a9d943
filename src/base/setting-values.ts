/** What the text of a setting stands for: each answers the value, or undefined where the text is not what was expected. */
import { isAddressOrNetwork } from './ip-networks.ts';
import { Secret } from './secret.ts';

export const onOff = (text: string) => (text === 'on' ? true : text === 'off' ? false : undefined);
export const oneOf =
  <T extends string>(...values: T[]) =>
  (text: string) =>
    values.find((value) => value === text);
export const keyPattern = /^sk_mcp_rank_[0-9a-f]{32}$/;

export function parsePort(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

export function parseUrl(text: string): string | undefined {
  const url = URL.parse(text);
  const fits =
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.search === '' &&
    url.hash === '' &&
    url.username === '';
  return fits ? url.href.replace(/\/+$/, '') : undefined;
}

/** Cookies, the pages of the console and the well-known documents stand at the root of a host. */
export function parseOrigin(text: string): string | undefined {
  const url = parseUrl(text);
  return url !== undefined && new URL(url).pathname === '/' ? url : undefined;
}

/** It may have a user name and a password, so it is kept as a secret. */
export function parseProxy(text: string): Secret | undefined {
  const url = URL.parse(text.includes('://') ? text : `http://${text}`);
  const fits =
    url !== null && /^https?:$/.test(url.protocol) && /^\/?$/.test(url.pathname + url.search + url.hash);
  return fits ? new Secret(url.href) : undefined;
}

export function secretUrl(protocol: RegExp) {
  return (text: string) => (protocol.test(URL.parse(text)?.protocol ?? '') ? new Secret(text) : undefined);
}

/** Where the host is a folder with a socket (`?host=/run/postgresql`), the authority may be empty but for the user. */
export function parseDatabaseUrl(text: string): Secret | undefined {
  return secretUrl(/^postgres(ql)?:$/)(text.replace(/@(?=[/?])/, '@localhost')) && new Secret(text);
}

const vaultKeyForms = [
  /^[A-Za-z0-9+/]{43}=$/,
  /^transit:https?:\/\/[^\s?#@]+\/keys\/[^\s/?#]+$/,
  /^awskms:arn:[^\s]+$/,
  /^gcpkms:projects\/[^\s]+$/,
];

export function parseVaultKeys(text: string): Secret | undefined {
  const entries = text.split(',').map((entry) => /^([a-z0-9-]{1,32}):(.+)$/.exec(entry.trim()) ?? []);
  const fits = entries.every(([, , rest = '']) => vaultKeyForms.some((form) => form.test(rest)));
  return fits && new Set(entries.map(([, kid]) => kid)).size === entries.length
    ? new Secret(text)
    : undefined;
}

/** 256 bytes in base64url: 2048 bits. */
const leastModulusLength = 342;

export function parseSigningKeys(text: string): Secret | undefined {
  try {
    const parsed = JSON.parse(text) as unknown;
    const keys = (Array.isArray(parsed) ? parsed : (parsed as { keys?: unknown }).keys) as unknown;
    const fits =
      Array.isArray(keys) &&
      keys.length > 0 &&
      keys.every(
        (key: Readonly<Record<string, unknown>>) =>
          key.kty === 'RSA' &&
          ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'].every((part) => typeof key[part] === 'string') &&
          String(key.n).length >= leastModulusLength,
      );
    return fits ? new Secret(text) : undefined;
  } catch {
    return undefined;
  }
}

export function parseTiers(text: string): ReadonlyMap<string, number> | undefined {
  const tiers = new Map<string, number>();
  for (const pair of text.split(',')) {
    const [, name, rate] = /^\s*([a-z][a-z0-9_-]{0,31})=([1-9]\d{0,8})\s*$/.exec(pair) ?? [];
    if (name === undefined) return undefined;
    tiers.set(name, Number(rate));
  }
  return tiers.has('free') && tiers.has('enterprise') ? tiers : undefined;
}

export function parseEmbeddings(text: string): string | undefined {
  const [, url] = /^openai:(https?:\/\/\S+)#\S+$/.exec(text) ?? [];
  if (url !== undefined) return parseUrl(url) === undefined ? undefined : text;
  return text === 'builtin' || /^onnx:.+$/.test(text) ? text : undefined;
}

export function parseNetworks(text: string): readonly string[] | undefined {
  const entries = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  return entries.every(isAddressOrNetwork) ? entries : undefined;
}

const roleNames = new Set(['viewer', 'developer', 'operator', 'admin']);

export function parseRoles(text: string): ReadonlyMap<string, string> | undefined {
  const entries = text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
  const pairs = entries.map((entry) => {
    const at = entry.lastIndexOf('=');
    return [entry.slice(0, at).trim(), entry.slice(at + 1).trim()] as const;
  });
  return pairs.every(([group, role]) => group !== '' && roleNames.has(role)) ? new Map(pairs) : undefined;
}

export function parseDomains(text: string): readonly string[] | undefined {
  const entries = text
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== '');
  return entries.every((entry) => /^[a-z0-9.-]+$/.test(entry)) ? entries : undefined;
}

export function parseAllow(text: string): readonly string[] | undefined {
  const entries = text
    .split(',')
    .map((entry) => entry.trim().toLowerCase())
    .filter((entry) => entry !== '');
  return entries.every(isAllowEntry) ? entries : undefined;
}

function isAllowEntry(entry: string): boolean {
  if (entry.includes('/')) return isAddressOrNetwork(entry);
  const [, host = '', port = '0'] = /^([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const isHost = host.startsWith('[') ? isAddressOrNetwork(host.slice(1, -1)) : host !== '';
  return isHost && Number(port) <= 65_535;
}
