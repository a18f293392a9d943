/** Texts from outside, made safe to store and to show: well-formed Unicode, no control characters, no secrets. */

const redacted = '[redacted]';

/** Nothing below can match without one of these, and most text has none: one cheap test instead of ten. */
const suspicious = /[A-Za-z0-9]{12,}|:\/\/[^\s/]*@|PRIVATE KEY/;
const uuid = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const always = () => true;
const hasDigit = (text: string) => /\d/.test(text);
/** Random, not words: a run of twelve letters and digits with at least two of the latter in it. */
const looksRandom = (text: string) =>
  !uuid.test(text) &&
  (text.match(/[A-Za-z0-9]{12,}/g) ?? []).some((run) => (run.match(/\d/g)?.length ?? 0) >= 2);

type Rule = {
  readonly pattern: RegExp;
  /** Decides on the value: the last group, or the whole match. */
  readonly when: (value: string) => boolean;
};

/** Each pattern is linear: no nested repetition. Groups before the last one are kept, the last is the secret. */
const rules: readonly Rule[] = [
  {
    pattern:
      /(-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----\s{0,9}(?:[A-Za-z-]{1,20}: [^\n]{1,80}\n\s{0,9}){0,3}[A-Za-z0-9+/=\s\\]{20,}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?)/g,
    when: looksRandom,
  },
  // OpenAI, Anthropic, OpenRouter and the many that copied the prefix; package names (sk-learn-…) have no random run.
  { pattern: /\b(sk-[A-Za-z0-9_-]{20,})/g, when: looksRandom },
  { pattern: /\b([rsp]k_(?:live|test|mcp_rank)_[A-Za-z0-9]{10,})/g, when: hasDigit },
  {
    pattern: /\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_-]{20,})/g,
    when: hasDigit,
  },
  { pattern: /\b(xox[a-z]-[A-Za-z0-9-]{10,}|xapp-[A-Za-z0-9-]{10,})/g, when: hasDigit },
  { pattern: /\b((?:AKIA|ASIA)[A-Z0-9]{16})\b/g, when: always },
  { pattern: /\b(AIza[A-Za-z0-9_-]{30,}|ya29\.[A-Za-z0-9_-]{20,}|GOCSPX-[A-Za-z0-9_-]{20,})/g, when: always },
  { pattern: /\b(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)/g, when: always },
  { pattern: /\b(SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,})/g, when: always },
  {
    pattern:
      /\b((?:npm|hf|ntn|secret|lin_api|shpat|shpca|dop_v1|whsec|figd|tvly|pplx|gsk|xai|fc|nvapi|dapi|pat)[_-][A-Za-z0-9_-]{24,})/g,
    when: looksRandom,
  },
  { pattern: /\b((?:Bearer|Basic)\s{1,3})([A-Za-z0-9._~+/=-]{16,})/gi, when: looksRandom },
  {
    pattern:
      /((?:api[_-]?key|apikey|access[_-]?key|private[_-]?key|client[_-]?secret|secret|token|passw(?:or)?d|[?&](?:key|auth|sig(?:nature)?))["']?\s{0,3}[:=]\s{0,3}["']?)([A-Za-z0-9+/_=-]{20,})/gi,
    when: looksRandom,
  },
  // A UUID is an id everywhere else, and a page or context token often is one.
  {
    pattern:
      /((?:api[_-]?key|apikey|secret|passw(?:or)?d)["']?\s{0,3}[:=]\s{0,3}["']?)([0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})/gi,
    when: always,
  },
];
const urlPassword = /\b([a-z][a-z0-9+.-]{1,20}:\/\/)([^\s/@:"'<>]{1,100}):([^\s/@"'<>]{1,200})@/gi;
/** What documentation writes where a password goes. */
const passwordStandIn = /^(?:[^A-Za-z0-9]|(?:your|my)?_?(?:pass(?:word|wd)?|pwd|pw|secret|token)$|x+$)/i;

/** The text without key-like strings. */
export function scrubText(text: string): string {
  if (!suspicious.test(text)) return text;
  let clean = text;
  for (const { pattern, when } of rules) {
    clean = clean.replace(pattern, (match: string, ...rest: unknown[]) => {
      const groups = rest.slice(
        0,
        rest.findIndex((each) => typeof each === 'number'),
      ) as string[];
      const secret = groups.at(-1) ?? match;
      return when(secret) ? match.slice(0, match.length - secret.length) + redacted : match;
    });
  }
  return clean.replace(urlPassword, (match, scheme: string, _user, password: string) =>
    passwordStandIn.test(password) ? match : `${scheme}${redacted}@`,
  );
}

/** Well-formed, without control characters (NUL cannot be stored), and without secrets. */
export function cleanText(text: string): string {
  return scrubText(
    text.toWellFormed().replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufeff]/g, ''),
  );
}

/** Query parameters that carry a credential. */
const secretParameter =
  /^(?:.*[_-])?(?:api[_-]?key|key|token|secret|passw(?:or)?d|pwd|auth|authorization|sig|signature|jwt|credential)$/i;
const camelSecretParameter = /[a-z](?:Key|Token|Secret|Password)$/;

/** A server's URL with its user and password dropped and credentials in its query replaced by `{name}`, as registries write variables. */
export function scrubUrl(url: string): string {
  const withoutUser = url.replace(/^([a-z]+:\/\/)[^/?#]*@/i, '$1');
  return withoutUser.replace(
    /([?&])([^=&#]+)=([^&#]*)/g,
    (match, mark: string, name: string, value: string) => {
      const secret =
        secretParameter.test(name) || camelSecretParameter.test(name) || scrubText(value) !== value;
      return secret && value !== '' && !/^(?:\{|%7b)/i.test(value) ? `${mark}${name}={${name}}` : match;
    },
  );
}

/** Every string of a JSON value cleaned; keys too, as they are shown alike. */
export function cleanJson(value: unknown): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (Array.isArray(value)) return value.map(cleanJson);
  if (typeof value !== 'object' || value === null) return value;
  // fromEntries defines own properties, so a key named __proto__ stays a key.
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [cleanText(key), cleanJson(each)]));
}
