/**
 * What the operator can set. `parseConfig` is pure: environment in, frozen configuration or *all* faults out,
 * each with the variable's name, what was expected and an example. Nobody else reads the environment.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { isLoopbackHost } from './base/own-hosts.ts';
import { Problem } from './base/problem.ts';
import { Secret } from './base/secret.ts';
import {
  keyPattern,
  oneOf,
  onOff,
  parseAllow,
  parseDatabaseUrl,
  parseDomains,
  parseEmbeddings,
  parseNetworks,
  parseOrigin,
  parsePort,
  parseProxy,
  parseRoles,
  parseSigningKeys,
  parseTiers,
  parseUrl,
  parseVaultKeys,
  secretUrl,
} from './base/setting-values.ts';

export type Config = {
  readonly host: string;
  readonly port: number;
  /** null: http://HOST:PORT as bound. */
  readonly publicUrl: string | null;
  readonly dataDir: string;
  readonly databaseUrl: Secret | null;
  readonly redisUrl: Secret | null;
  readonly adminKey: Secret | null;
  /** `kid:…` entries with commas, the first one seals; null: the data folder's own. */
  readonly vaultKeys: Secret | null;
  readonly transitToken: Secret | null;
  /** Private JWKs as JSON; null: generated and turned over in the store. */
  readonly signingKeys: Secret | null;
  /** A folder of JWTs that the platform gives us; null: none. */
  readonly workloadTokens: string | null;
  /** A file of servers, toolsets, keys and providers, applied at the start and upon change. */
  readonly configFile: string | null;
  /** A file of OAuth providers over the built-in ones. */
  readonly providersFile: string | null;
  readonly googleClientId: string | null;
  readonly googleClientSecret: Secret | null;
  /** The company's OpenID provider; null: people sign in with keys. */
  readonly ssoIssuer: string | null;
  readonly ssoClientId: string | null;
  readonly ssoClientSecret: Secret | null;
  /** Where groups stand in its claims, with dots. */
  readonly ssoGroupsClaim: string;
  /** Of e-mail addresses; none: whoever that provider lets in. */
  readonly ssoDomains: readonly string[];
  /** The developer whose users its people are. */
  readonly ssoDeveloper: string;
  /** The provider's assertions (ID-JAG, a draft) are taken for tokens. */
  readonly ssoAssertions: boolean;
  /** Group (`*`: everybody) and role in the console. */
  readonly ssoRoles: ReadonlyMap<string, string>;
  /** Whoever reaches the doors of MCP from this machine needs no key. */
  readonly mcpKeyless: boolean;
  /** Requests a minute by tier. */
  readonly tiers: ReadonlyMap<string, number>;
  readonly allowUpstreams: readonly string[];
  readonly trustedProxies: readonly string[];
  readonly httpProxy: Secret | null;
  readonly httpsProxy: Secret | null;
  /** Hosts that are reached past them. */
  readonly noProxy: string;
  /** Request bodies through the OAuth proxy. */
  readonly proxyBodyMegabytes: number;
  readonly registryUrl: string;
  readonly sync: boolean;
  readonly probe: boolean;
  readonly starter: boolean;
  /** `builtin`, `openai:URL#model` or `onnx:FOLDER`. */
  readonly embeddings: string;
  readonly embeddingsKey: Secret | null;
  /** Arguments of calls that wait for approval are kept, sealed, and shown to whoever decides. */
  readonly approvalArguments: boolean;
  /** What the record of calls keeps of arguments: nothing, their SHA-256, or that and their shape without their values. */
  readonly callArguments: 'off' | 'digest' | 'masked';
  /** Where traces and metrics go as OTLP over HTTP; null: nowhere. */
  readonly otlpEndpoint: string | null;
  readonly otelServiceName: string;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
};

type Setting = {
  readonly field: keyof Config;
  readonly meaning: string;
  readonly fallback: string | null;
  readonly expected: string;
  readonly example: string;
  readonly secret?: true;
  /** Another spelling of the name, which other programs read, too; it goes first. */
  readonly alias?: string;
  /** The value, or undefined when the text is not what was expected. */
  readonly parse: (text: string) => Config[keyof Config] | undefined;
};

/** The one table of settings; docs/configuration.md shows the same rows (a test compares them). */
export const settings: Readonly<Record<string, Setting>> = {
  MCPRANK_HOST: {
    field: 'host',
    meaning: 'address to listen on',
    fallback: '127.0.0.1',
    expected: 'a host name or address',
    example: '0.0.0.0',
    parse: (text) => (/^[A-Za-z0-9.:_-]+$/.test(text) ? text : undefined),
  },
  MCPRANK_PORT: {
    field: 'port',
    meaning: 'port to listen on; 0 picks a free one and prints it',
    fallback: '8787',
    expected: 'a whole number from 0 to 65535',
    example: '8787',
    parse: parsePort,
  },
  MCPRANK_PUBLIC_URL: {
    field: 'publicUrl',
    meaning: 'the URL others reach the service by',
    fallback: null,
    expected: 'an http(s) URL without path and query: it has a host name to itself',
    example: 'https://rank.example.com',
    parse: parseOrigin,
  },
  MCPRANK_DATA_DIR: {
    field: 'dataDir',
    meaning: 'folder of the embedded store and generated keys',
    fallback: './.mcprank',
    expected: 'a folder path',
    example: '/var/lib/mcprank',
    parse: (text) => resolve(text),
  },
  DATABASE_URL: {
    field: 'databaseUrl',
    meaning: 'PostgreSQL instead of the embedded store',
    fallback: null,
    expected: 'a postgres:// URL',
    example: 'postgres://mcprank:PASSWORD@db:5432/mcprank',
    secret: true,
    parse: parseDatabaseUrl,
  },
  REDIS_URL: {
    field: 'redisUrl',
    meaning: 'Redis or Valkey for shared limits',
    fallback: null,
    expected: 'a redis:// URL',
    example: 'redis://cache:6379',
    secret: true,
    parse: secretUrl(/^rediss?:$/),
  },
  MCPRANK_ADMIN_KEY: {
    field: 'adminKey',
    meaning: 'the first API key, with all scopes; generated and printed once when absent',
    fallback: null,
    expected: 'sk_mcp_rank_ and 32 lower-case hex digits',
    example: 'sk_mcp_rank_ and the output of: openssl rand -hex 16',
    secret: true,
    parse: (text) => (keyPattern.test(text) ? new Secret(text) : undefined),
  },
  MCPRANK_VAULT_KEYS: {
    field: 'vaultKeys',
    meaning:
      'keys of the vault, the first one seals; one is generated into the data folder (vault.key) when absent',
    fallback: null,
    expected:
      'kid:base64 of 32 bytes, kid:transit:URL, kid:awskms:ARN or kid:gcpkms:NAME, with commas, each kid once',
    example: 'k1: and the output of: openssl rand -base64 32',
    secret: true,
    parse: parseVaultKeys,
  },
  VAULT_TOKEN: {
    field: 'transitToken',
    meaning: 'token for HashiCorp Vault or OpenBao, where MCPRANK_VAULT_KEYS names a transit key',
    fallback: null,
    expected: 'a token without spaces',
    example: 'hvs.CAES…',
    secret: true,
    parse: (text) => (/^[\x21-\x7e]+$/.test(text) ? new Secret(text) : undefined),
  },
  MCPRANK_SIGNING_KEYS: {
    field: 'signingKeys',
    meaning:
      'keys that sign MITs, the first one signs, all are published; generated and turned over in the store when absent',
    fallback: null,
    expected: 'a JSON array of private RSA JWKs of at least 2048 bits',
    example: '[{"kty":"RSA","kid":"2027-01","n":…,"e":"AQAB","d":…,"p":…,"q":…,"dp":…,"dq":…,"qi":…}]',
    secret: true,
    parse: parseSigningKeys,
  },
  MCPRANK_CONFIG: {
    field: 'configFile',
    meaning:
      'a YAML or JSON file of servers, toolsets, keys and providers, applied at the start and upon change',
    fallback: null,
    expected: 'a file path',
    example: '/etc/mcprank/config.yaml',
    parse: (text) => resolve(text),
  },
  MCPRANK_PROVIDERS: {
    field: 'providersFile',
    meaning: 'a JSON file of OAuth providers, merged over the built-in ones by name',
    fallback: null,
    expected: 'a file path',
    example: '/etc/mcprank/providers.json',
    parse: (text) => resolve(text),
  },
  GOOGLE_CLIENT_ID: {
    field: 'googleClientId',
    meaning: 'client id of the provider google, instead of a providers file',
    fallback: null,
    expected: 'a text without spaces',
    example: '1234-abcd.apps.googleusercontent.com',
    parse: (text) => (/^[\x21-\x7e]+$/.test(text) ? text : undefined),
  },
  GOOGLE_CLIENT_SECRET: {
    field: 'googleClientSecret',
    meaning: 'its client secret',
    fallback: null,
    expected: 'a text without spaces',
    example: 'GOCSPX-…',
    secret: true,
    parse: (text) => (/^[\x21-\x7e]+$/.test(text) ? new Secret(text) : undefined),
  },
  MCPRANK_SSO_ISSUER: {
    field: 'ssoIssuer',
    meaning: "the company's OpenID provider, where people sign in",
    fallback: null,
    expected: 'an http(s) URL without query, as the provider names itself',
    example: 'https://login.example.com/realms/staff',
    parse: (text) => (parseUrl(text) === undefined ? undefined : text),
  },
  MCPRANK_SSO_CLIENT_ID: {
    field: 'ssoClientId',
    meaning: 'our client id there; its redirect URI is MCPRANK_PUBLIC_URL/sign-in/callback',
    fallback: null,
    expected: 'a text without spaces',
    example: 'mcprank',
    parse: (text) => (/^[\x21-\x7e]+$/.test(text) ? text : undefined),
  },
  MCPRANK_SSO_CLIENT_SECRET: {
    field: 'ssoClientSecret',
    meaning: 'its client secret; a public client has none',
    fallback: null,
    expected: 'a text without spaces',
    example: 'GOCSPX-…',
    secret: true,
    parse: (text) => (/^[\x21-\x7e]+$/.test(text) ? new Secret(text) : undefined),
  },
  MCPRANK_SSO_GROUPS_CLAIM: {
    field: 'ssoGroupsClaim',
    meaning: 'the claim with the groups of a person, a path with dots where it is nested',
    fallback: 'groups',
    expected: 'the name of a claim',
    example: 'realm_access.roles',
    parse: (text) => (/^[\x21-\x7e]{1,200}$/.test(text) ? text : undefined),
  },
  MCPRANK_SSO_DOMAINS: {
    field: 'ssoDomains',
    meaning:
      'domains of e-mail addresses that may sign in; everybody whom the provider lets in where it is empty',
    fallback: '',
    expected: 'host names with commas',
    example: 'example.com,example.org',
    parse: parseDomains,
  },
  MCPRANK_SSO_DEVELOPER: {
    field: 'ssoDeveloper',
    meaning: 'the developer whose users those people are',
    fallback: 'company',
    expected: 'a name of 1 to 100 characters',
    example: 'acme',
    parse: (text) => (/^[^\p{Cc}]{1,100}$/u.test(text) ? text : undefined),
  },
  MCPRANK_SSO_ROLES: {
    field: 'ssoRoles',
    meaning: 'roles of those people in the console by group; * is everybody',
    fallback: '',
    expected: 'group=role pairs with commas; a role is viewer, developer, operator or admin',
    example: 'platform=admin,support=operator,*=viewer',
    parse: parseRoles,
  },
  MCPRANK_SSO_ASSERTIONS: {
    field: 'ssoAssertions',
    meaning:
      'take assertions of that provider (ID-JAG, not yet a standard) for access tokens, and ask it for such towards other MCP servers, without asking the person',
    fallback: 'off',
    expected: 'on or off',
    example: 'on',
    parse: onOff,
  },
  MCPRANK_WORKLOAD_TOKENS: {
    field: 'workloadTokens',
    meaning:
      'folder of tokens by which the platform says who this service is, for client_credentials with workload_token (RFC 7523; not yet in the specification of MCP)',
    fallback: null,
    expected: 'a folder path',
    example: '/var/run/secrets/tokens',
    parse: (text) => resolve(text),
  },
  MCPRANK_MCP_KEYLESS: {
    field: 'mcpKeyless',
    meaning:
      'programs on this machine use /mcp without a key, as the operator; only where nobody else can reach it',
    fallback: 'off',
    expected: 'on or off',
    example: 'on',
    parse: onOff,
  },
  MCPRANK_TIERS: {
    field: 'tiers',
    meaning: 'requests a minute by tier',
    fallback: 'free=100,pro=1000,enterprise=100000',
    expected: 'name=number pairs with commas, free and enterprise among them',
    example: 'free=100,pro=1000,enterprise=100000',
    parse: parseTiers,
  },
  MCPRANK_ALLOW_UPSTREAMS: {
    field: 'allowUpstreams',
    meaning: 'hosts, host:port or CIDR that may be private and may be reached over http',
    fallback: '',
    expected: 'hosts, host:port or CIDR with commas',
    example: 'localhost,10.0.0.0/8,mcp.internal:8080',
    parse: parseAllow,
  },
  MCPRANK_TRUSTED_PROXIES: {
    field: 'trustedProxies',
    meaning: 'addresses and networks of proxies in front of us, whose X-Forwarded-For and Forwarded count',
    fallback: '',
    expected: 'addresses or CIDR with commas',
    example: '10.0.0.0/8,192.0.2.4',
    parse: parseNetworks,
  },
  HTTPS_PROXY: {
    field: 'httpsProxy',
    alias: 'https_proxy',
    meaning: 'outgoing proxy for https, by CONNECT; HTTP_PROXY where it is unset',
    fallback: null,
    expected: 'an http(s) URL of a proxy',
    example: 'http://proxy.internal:3128',
    secret: true,
    parse: parseProxy,
  },
  HTTP_PROXY: {
    field: 'httpProxy',
    alias: 'http_proxy',
    meaning: 'outgoing proxy for http',
    fallback: null,
    expected: 'an http(s) URL of a proxy',
    example: 'http://proxy.internal:3128',
    secret: true,
    parse: parseProxy,
  },
  NO_PROXY: {
    field: 'noProxy',
    alias: 'no_proxy',
    meaning: 'hosts that are reached past the outgoing proxy, with all names below them',
    fallback: '',
    expected: 'hosts, host:port or * with commas',
    example: 'example.com,.corp.internal,10.1.2.3:8443',
    parse: (text) => (/^[\w.*:[\]/, -]*$/.test(text) ? text : undefined),
  },
  MCPRANK_PROXY_BODY_MB: {
    field: 'proxyBodyMegabytes',
    meaning: 'largest request body through the OAuth proxy, in MiB',
    fallback: '32',
    expected: 'a whole number from 1 to 1000000',
    example: '1024',
    parse: (text) => (/^[1-9]\d{0,5}$|^1000000$/.test(text) ? Number(text) : undefined),
  },
  MCPRANK_REGISTRY_URL: {
    field: 'registryUrl',
    meaning: 'the registry to sync from',
    fallback: 'https://registry.modelcontextprotocol.io',
    expected: 'an http(s) URL without query',
    example: 'https://registry.modelcontextprotocol.io',
    parse: parseUrl,
  },
  MCPRANK_SYNC: {
    field: 'sync',
    meaning: 'sync from the registry',
    fallback: 'on',
    expected: 'on or off',
    example: 'off',
    parse: onOff,
  },
  MCPRANK_PROBE: {
    field: 'probe',
    meaning: 'look at remote servers now and then: alive, how they speak, which tools, what changed',
    fallback: 'on',
    expected: 'on or off',
    example: 'off',
    parse: onOff,
  },
  MCPRANK_STARTER: {
    field: 'starter',
    meaning: 'load the starter catalogue into an empty store',
    fallback: 'on',
    expected: 'on or off',
    example: 'off',
    parse: onOff,
  },
  MCPRANK_EMBEDDINGS: {
    field: 'embeddings',
    meaning: 'where vectors come from',
    fallback: 'builtin',
    expected: 'builtin, openai:URL#model or onnx:FOLDER',
    example: 'openai:https://api.openai.com/v1#text-embedding-3-small',
    parse: parseEmbeddings,
  },
  MCPRANK_EMBEDDINGS_KEY: {
    field: 'embeddingsKey',
    meaning: 'key of the embeddings service, where it wants one',
    fallback: null,
    expected: 'a text without spaces',
    example: 'sk-…',
    secret: true,
    parse: (text) => (/^\S+$/.test(text) ? new Secret(text) : undefined),
  },
  MCPRANK_APPROVAL_ARGUMENTS: {
    field: 'approvalArguments',
    meaning:
      'show the arguments of calls that wait for approval; they rest sealed until it is decided and over',
    fallback: 'off',
    expected: 'on or off',
    example: 'on',
    parse: onOff,
  },
  MCPRANK_CALL_ARGUMENTS: {
    field: 'callArguments',
    meaning:
      'what the record of calls keeps of arguments: their SHA-256, that and their shape without their values, or neither',
    fallback: 'digest',
    expected: 'digest, masked or off',
    example: 'masked',
    parse: oneOf('digest', 'masked', 'off'),
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    field: 'otlpEndpoint',
    meaning: 'an OpenTelemetry collector: traces and metrics go there as OTLP over HTTP',
    fallback: null,
    expected: 'an http(s) URL without query',
    example: 'http://collector:4318',
    parse: parseUrl,
  },
  OTEL_SERVICE_NAME: {
    field: 'otelServiceName',
    meaning: 'the name of this service there',
    fallback: 'mcprank',
    expected: 'a text of 1 to 100 printable characters',
    example: 'mcprank-eu',
    parse: (text) => (/^[\x20-\x7e]{1,100}$/.test(text) ? text : undefined),
  },
  MCPRANK_LOG: {
    field: 'logLevel',
    meaning: 'least level of log lines; debug has a line for every request',
    fallback: 'info',
    expected: 'debug, info, warn, error or silent',
    example: 'debug',
    parse: oneOf('debug', 'info', 'warn', 'error', 'silent'),
  },
};

export type Env = Readonly<Record<string, string | undefined>>;

export function environment(): Env {
  return process.env;
}

/** What a child process needs to find its way, and none of our settings or secrets. */
const childVariables =
  /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_[A-Z]+|TZ|TERM|TMPDIR|TEMP|TMP|XDG_[A-Z_]+|SystemRoot|ComSpec|PATHEXT|APPDATA|LOCALAPPDATA|USERPROFILE)$/;

export function childEnvironment(env: Env): Readonly<Record<string, string>> {
  const entries = Object.entries(env).flatMap(([name, text]) =>
    text !== undefined && childVariables.test(name) ? [[name, text] as const] : [],
  );
  return Object.fromEntries(entries);
}

export function parseConfig(
  env: Env,
  readSecret: (path: string) => string = (path) => readFileSync(path, 'utf8'),
): Config {
  const faults: string[] = [];
  const values: Partial<Record<keyof Config, Config[keyof Config]>> = {};
  for (const [name, setting] of Object.entries(settings)) {
    const text = settingText(env, name, setting, readSecret, faults);
    const value = text === null ? null : setting.parse(text);
    if (value === undefined)
      faults.push(`${name}: expected ${setting.expected}, for example ${setting.example}`);
    else values[setting.field] = value;
  }
  if ((values.ssoIssuer === null) !== (values.ssoClientId === null))
    faults.push('MCPRANK_SSO_ISSUER, MCPRANK_SSO_CLIENT_ID: one is set without the other');
  if (values.mcpKeyless === true && !staysOnThisMachine(values as Config))
    faults.push(
      'MCPRANK_MCP_KEYLESS: expected off where others may reach the service (MCPRANK_HOST, MCPRANK_PUBLIC_URL, MCPRANK_TRUSTED_PROXIES)',
    );
  if (faults.length > 0)
    throw new Problem(
      'setup',
      `The configuration has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((fault) => `  ${fault}`).join('\n')}`,
    );
  return Object.freeze(values as Config);
}

function staysOnThisMachine({ host, publicUrl, trustedProxies }: Config): boolean {
  const isHere = publicUrl === null || isLoopbackHost(new URL(publicUrl).hostname);
  return isLoopbackHost(host) && isHere && trustedProxies.length === 0;
}

/** Variables that look like ours and are not: most often a typing error. */
export function unknownSettings(env: Env): string[] {
  const known = new Set(Object.keys(settings).flatMap((name) => [name, `${name}_FILE`]));
  return Object.keys(env).filter((name) => name.startsWith('MCPRANK_') && !known.has(name));
}

/** The configuration as text by variable name, secrets masked. */
export function describeConfig(config: Config): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, { field }]) => {
      const value = config[field];
      if (value === null) return [name, '(unset)'];
      if (value instanceof Map) return [name, [...value].map(([tier, rate]) => `${tier}=${rate}`).join(',')];
      return [name, typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value)];
    }),
  );
}

function settingText(
  env: Env,
  name: string,
  setting: Setting,
  readSecret: (path: string) => string,
  faults: string[],
): string | null {
  const direct = textIn(env, setting.alias) ?? textIn(env, name);
  const file = setting.secret ? env[`${name}_FILE`] : undefined;
  if (direct !== undefined && file !== undefined) {
    faults.push(`${name}: set it or ${name}_FILE, not both`);
    return setting.fallback;
  }
  if (file === undefined) return direct === undefined ? setting.fallback : direct.trim();
  try {
    return readSecret(file).trim();
  } catch (cause) {
    faults.push(`${name}_FILE: ${file} cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'error'})`);
    return setting.fallback;
  }
}

/** Unset and empty are the same. */
function textIn(env: Env, name: string | undefined): string | undefined {
  return (name === undefined ? undefined : env[name]) || undefined;
}
