import type { Reply } from '../http/route.ts';
import type { Asked, PageFault } from '../sign-in/sign-in.ts';
import { type Html, html, page } from './html.ts';

/** Asks who it is and whether this client may: what it says of itself is told apart from what we know (threats P2). */
export function signInPage(
  asked: Asked,
  {
    action,
    company,
    fault,
  }: {
    readonly action: string;
    /** The host of the company's provider; null: a key is asked for. */
    readonly company: string | null;
    readonly fault?: { readonly status: number; readonly detail: string };
  },
): Reply {
  const { client, resources, redirectTo } = asked;
  const back = redirectTo.protocol.startsWith('http') ? redirectTo.host : `${redirectTo.protocol}//`;
  const known =
    client.host === null
      ? html`The app registered itself under this name; nobody has checked it.`
      : html`Its description is at <strong>${client.host}</strong>.`;
  const content = html`${fault === undefined ? none : html`<p role="alert">${fault.detail}</p>`}
<p><strong>${client.name}</strong> wants to use MCP servers and their tools for you, through</p>
<ul>${resources.map((resource) => html`<li><code>${resource}</code></li>`)}</ul>
<p class="soft">${known} You go back to <strong>${back}</strong>.</p>
<form method="post" action="${action}">
${company === null ? keyFields : none}
<button name="decision" value="allow">${company === null ? 'Sign in and allow' : `Sign in at ${company} and allow`}</button>
<button name="decision" value="cancel" class="plain" formnovalidate>Cancel</button>
</form>
<p class="soft">Go on only if you started this yourself. ${company === null ? 'The app acts with the rights of the key, and never sees the key.' : 'The app acts with your rights here.'}</p>`;
  // A browser holds whatever the form leads to against this: the company's provider may lead to others in turn.
  const formTo = company === null ? formTargets(redirectTo) : `'self' https: http: ${redirectTo.protocol}`;
  return page(fault?.status ?? 200, 'Sign in to MCP Rank', content, { formTo });
}

/** For whatever cannot go on; never by a redirect to where it was asked for (threats P4). */
export function oauthFaultPage({ status, error, description, redirect }: PageFault): Reply {
  const where =
    redirect === undefined
      ? none
      : html`<p>It asked to go back to <code>${redirect.asked}</code>, and may go back to:</p>
<ul>${redirect.registered.map((uri) => html`<li><code>${uri}</code></li>`)}</ul>`;
  return page(
    status,
    'This app cannot sign in',
    html`<p role="alert">${description}</p>${where}<p class="soft">For whoever made the app: <code>${error}</code>.</p>`,
  );
}

const none: Html = { html: '' };
const keyFields = html`<label>API key<input name="key" type="password" required autocomplete="off" spellcheck="false" maxlength="200"></label>
<label>For the user (optional)<input name="user_id" autocomplete="off" maxlength="256"></label>`;

/** Browsers hold the redirects behind a form to its policy, too; an IPv6 address is no source they know. */
function formTargets({ protocol, origin, hostname }: URL): string {
  const isNamed = protocol.startsWith('http') && !hostname.startsWith('[');
  return `'self' ${isNamed ? origin : protocol}`;
}
