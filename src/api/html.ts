import { sha256Hex } from '../base/id.ts';
import type { Reply } from '../http/route.ts';

/** Text that is safe to stand in a page. */
export type Html = { readonly html: string };

/** A template whose values are escaped; pieces of `Html` and lists of them go in as they are. */
export function html(
  parts: TemplateStringsArray,
  ...values: readonly (string | Html | readonly Html[])[]
): Html {
  const text = parts.map((part, i) => part + (i < values.length ? piece(values[i] ?? '') : ''));
  return { html: text.join('') };
}

function piece(value: string | Html | readonly Html[]): string {
  if (typeof value === 'string') return escaped(value);
  return 'html' in value ? value.html : value.map((each) => each.html).join('');
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** The only style there is; the policy names it by its digest, so that nothing else can style or run (threats F10). */
const style = `
:root{color-scheme:light dark;--line:#d0d4da;--soft:#5a6270;--go:#1d4ed8;--page:#fff;--ink:#14181f}
@media(prefers-color-scheme:dark){:root{--line:#3b4250;--soft:#a5adba;--go:#2f62e2;--page:#14171c;--ink:#f2f4f7}}
*{box-sizing:border-box}
body{background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;margin:0;padding:1rem;display:grid;min-height:100vh;place-items:center}
main{width:100%;max-width:28rem;border:1px solid var(--line);border-radius:.75rem;padding:1.5rem}
h1{font-size:1.25rem;line-height:1.3;margin:0 0 1rem}
p{margin:0 0 1rem;overflow-wrap:anywhere}
ul{margin:0 0 1rem;padding-left:1.25rem}
li{overflow-wrap:anywhere}
.soft{color:var(--soft);font-size:.875rem;margin:0}
.code{font:700 1.75rem/1.2 ui-monospace,monospace;letter-spacing:.08em;text-align:center}
label{display:block;font-weight:600;margin:0 0 1rem}
input{display:block;width:100%;font:inherit;font-weight:400;color:inherit;background:transparent;border:1px solid var(--soft);border-radius:.5rem;padding:.6rem .75rem;margin:.25rem 0 0}
button,a.go{display:block;width:100%;font:inherit;font-weight:600;text-align:center;text-decoration:none;color:#fff;background:var(--go);border:0;border-radius:.5rem;padding:.75rem;margin:0 0 1rem;cursor:pointer}
button.plain{color:inherit;background:transparent;border:1px solid var(--line)}
:focus-visible{outline:3px solid var(--go);outline-offset:2px}
`;

const styleDigest = Buffer.from(sha256Hex(style), 'hex').toString('base64');

export type PageOptions = {
  /** Sources that the page's form may lead to; browsers hold redirects after a form to them, too. */
  readonly formTo?: string;
  readonly cookie?: string;
};

/** Pages of ours: whole in one reply, nothing from elsewhere, no script; readable without a mouse and on a phone. */
export function page(status: number, title: string, content: Html, options: PageOptions = {}): Reply {
  const { formTo = "'none'", cookie } = options;
  const { html: text } = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex"><title>${title}</title><style>${{ html: style }}</style></head>
<body><main><h1>${title}</h1>
${content}
</main></body></html>
`;
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${styleDigest}'`,
    `form-action ${formTo}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ');
  return {
    status,
    body: text,
    contentType: 'text/html; charset=utf-8',
    headers: {
      ...pageHeaders,
      'content-security-policy': policy,
      ...(cookie === undefined ? {} : { 'set-cookie': cookie }),
    },
  };
}

/** Also on redirects: what is in these URLs is nobody else's business. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
};
