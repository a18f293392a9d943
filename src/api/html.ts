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
:root{color-scheme:light dark;--line:#e5e1da;--soft:#625e57;--go:#0f766e;--on-go:#fff;--page:#faf9f7;--card:#fff;--ink:#1d1c1a}
@media(prefers-color-scheme:dark){:root{--line:#2d3230;--soft:#a5aaa5;--go:#4cc9b8;--on-go:#04211d;--page:#131514;--card:#1a1d1c;--ink:#edece8}}
*{box-sizing:border-box}
body{background:var(--page);color:var(--ink);font:1rem/1.5 system-ui,sans-serif;margin:0;padding:1rem;display:grid;min-height:100vh;place-items:center}
main{width:100%;max-width:28rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem;padding:1.5rem}
h1{font-size:1.25rem;line-height:1.3;margin:0 0 1rem}
p{margin:0 0 1rem;overflow-wrap:anywhere}
ul{margin:0 0 1rem;padding-left:1.25rem}
li{overflow-wrap:anywhere}
a{color:inherit}
details{margin:0 0 1rem}
summary{cursor:pointer}
.logo{display:block;border-radius:.5rem;margin:0 0 1rem}
.soft{color:var(--soft);font-size:.875rem;margin:0}
.code{font:700 1.75rem/1.2 ui-monospace,monospace;letter-spacing:.08em;text-align:center}
label{display:block;font-weight:600;margin:0 0 1rem}
input,select{display:block;width:100%;font:inherit;font-weight:400;color:inherit;background:transparent;border:1px solid var(--soft);border-radius:.5rem;padding:.6rem .75rem;margin:.25rem 0 0}
button,a.go{display:block;width:100%;font:inherit;font-weight:600;text-align:center;text-decoration:none;color:var(--on-go);background:var(--go);border:0;border-radius:.5rem;padding:.75rem;margin:0 0 1rem;cursor:pointer}
button.plain{color:inherit;background:transparent;border:1px solid var(--line)}
:focus-visible{outline:3px solid var(--go);outline-offset:2px}
`;

const styleDigest = Buffer.from(sha256Hex(style), 'hex').toString('base64');

export type PageOptions = {
  /** Sources that the page's form may lead to; browsers hold redirects after a form to them, too. */
  readonly formTo?: string;
  readonly cookie?: string;
  /** Pictures that stand in the page itself (`data:`). */
  readonly showsPictures?: boolean;
};

/** Pages of ours: whole in one reply, nothing from elsewhere, no script; readable without a mouse and on a phone. */
export function page(status: number, title: string, content: Html, options: PageOptions = {}): Reply {
  const { formTo = "'none'", cookie, showsPictures = false } = options;
  const { html: text } = html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex"><title>${title}</title><style>${{ html: style }}</style></head>
<body><main><h1>${title}</h1>
${content}
</main></body></html>
`;
  const policy = [
    "default-src 'none'",
    ...(showsPictures ? ['img-src data:'] : []),
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
