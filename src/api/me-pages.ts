import type { Connection } from '../connections/connections.ts';
import type { Reply } from '../http/route.ts';
import { type Html, html, page } from './html.ts';
import { scopeInWords } from './scope-words.ts';

/** A connection with what people call it, and when it was used last (milliseconds since 1970; null: not known). */
export type ShownConnection = {
  readonly connection: Connection;
  readonly title: string;
  readonly usedAt: number | null;
};

/** Who it is has to be known first. */
export function meSignInPage(company: string | null, fault?: { status: number; detail: string }): Reply {
  const content = html`${fault === undefined ? none : html`<p role="alert">${fault.detail}</p>`}
<p>See what is connected for you here, and disconnect it.</p>
${company === null ? keyForm : html`<p><a class="go" href="/me/sign-in">Sign in at ${company}</a></p>`}`;
  return page(fault?.status ?? 200, 'Your connections', content, { formTo: "'self'" });
}

export function connectionsPage(shown: {
  readonly user: string;
  readonly connections: readonly ShownConnection[];
  readonly csrf: string;
  readonly formTo: string;
  readonly cookie?: string;
}): Reply {
  const { user, connections, csrf, formTo, cookie } = shown;
  const token = html`<input type="hidden" name="csrf" value="${csrf}">`;
  const list =
    connections.length === 0
      ? html`<p>Nothing is connected for you.</p>`
      : html`${connections.map((each) => connectionItem(each, token))}`;
  const content = html`<p>For <strong>${user}</strong>.</p>
${list}
<form method="post" action="/me/sign-out">${token}<button class="plain">Sign out</button></form>
<p class="soft">What you disconnect is gone here at once, and withdrawn at the provider as soon as it answers.</p>`;
  return page(200, 'Your connections', content, {
    formTo,
    ...(cookie !== undefined && { cookie }),
  });
}

function connectionItem({ connection, title, usedAt }: ShownConnection, token: Html): Html {
  const { id, account, label, status, scopes, createdAt, provider, serverId, isKey } = connection;
  const forms =
    serverId === null
      ? html`<form method="post" action="/me/connect">${token}<input type="hidden" name="provider" value="${provider}">
<button>${status === 'active' ? `Add another ${title} account` : `Connect ${title} again`}</button></form>`
      : serverForms(connection, title, token);
  const told = [...new Set(scopes.map((scope) => scopeInWords(title, scope) ?? scope))];
  return html`<section>
<h2>${title}</h2>
<p>${isUsual(account) ? (label ?? 'Your account') : (label ?? account)}${status === 'active' ? none : html` — <strong>has to be connected again</strong>`}</p>
<p class="soft">${isKey ? 'Your own key, given' : 'Connected'} ${day(createdAt)}; ${usedAt === null ? 'not used lately' : `last used ${day(usedAt)}`}.</p>
${isKey ? none : html`<details><summary>What it may</summary><ul>${told.map((words) => html`<li>${words}</li>`)}</ul></details>`}
<form method="post" action="/me/disconnect">${token}<input type="hidden" name="id" value="${id}">
<button class="plain">Disconnect ${title}</button></form>
${forms}
</section>`;
}

/** At a server the user's word is the account's name: the same one again, or another beside it. */
function serverForms({ serverId, account, isKey }: Connection, title: string, token: Html): Html {
  const server = html`${token}<input type="hidden" name="server_id" value="${serverId ?? ''}">`;
  const named = isUsual(account) ? none : html`<input type="hidden" name="account" value="${account}">`;
  return html`<form method="post" action="/me/connect">${server}${named}
<button>${isKey ? `Give another key for ${title}` : `Connect ${title} again`}</button></form>
<details><summary>Add another account</summary><form method="post" action="/me/connect">${server}
<label>Name it<input name="account" required autocomplete="off" maxlength="100"></label>
<button>Add another ${title} account</button></form></details>`;
}

/** What is kept without a name of the user's own. */
function isUsual(account: string): boolean {
  return account === '' || account === 'key';
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

const none: Html = { html: '' };
const keyForm = html`<form method="post" action="/me/sign-in">
<label>API key<input name="key" type="password" required autocomplete="off" spellcheck="false" maxlength="200"></label>
<label>User<input name="user_id" required autocomplete="off" maxlength="256"></label>
<button>Show what is connected</button>
</form>`;
