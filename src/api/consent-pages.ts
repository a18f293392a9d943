import type { UserCredentials } from '../base/user-credentials.ts';
import type { ConsentOutcome, ConsentPage } from '../connections/connections.ts';
import type { Reply } from '../http/route.ts';
import { type Html, html, page } from './html.ts';
import { scopeInWords } from './scope-words.ts';

type Fault = { readonly status: number; readonly detail: string };

/** Stands before the names of what a user types in. */
export const keyField = 'value.';

/** Names app, user, provider and scopes; nothing has happened yet (threats F8, F9). `fault`: why a key was not taken. */
export function consentPage(shown: ConsentPage, action: string, cookie: string, fault?: Fault): Reply {
  if (shown.asks !== null) return keyPage(shown, shown.asks, { action, cookie, fault });
  const { app, logo, user, provider, scopes, csrf, formTo } = shown;
  const picture = logo === null ? none : html`<img class="logo" src="${logo}" alt="" width="48" height="48">`;
  const inWords = scopes.map((scope) => ({ scope, words: scopeInWords(provider, scope) }));
  const told = [...new Set(inWords.flatMap(({ words }) => words ?? []))];
  const bare = inWords.filter(({ words }) => words === undefined);
  const exactly =
    told.length === 0
      ? none
      : html`<details><summary>Exactly what is asked for</summary>
<ul>${scopes.map((scope) => html`<li><code>${scope}</code></li>`)}</ul></details>`;
  const content = html`${picture}<p><strong>${app}</strong> wants to act for <strong>${user}</strong> at <strong>${provider}</strong>.</p>
<p>It asks to:</p>
<ul>${told.map((words) => html`<li>${words}</li>`)}${bare.map(({ scope }) => html`<li><code>${scope}</code></li>`)}</ul>
<form method="post" action="${action}">
<input type="hidden" name="csrf" value="${csrf}">
<button name="decision" value="connect">Connect ${provider}</button>
<button name="decision" value="cancel" class="plain">Cancel</button>
</form>${exactly}
<p class="soft">Go on only if you started this yourself, in ${app}. ${provider} will ask you once more. You can withdraw the access at any time, at <a href="/me">your connections</a>.</p>`;
  return page(200, `Connect ${provider} to ${app}`, content, {
    formTo,
    cookie,
    showsPictures: logo !== null,
  });
}

/** Asks for a key of the user's own. It is tried before it is kept, and shown to nobody again. */
function keyPage(
  { app, logo, user, provider, csrf, formTo }: ConsentPage,
  { variables }: UserCredentials,
  {
    action,
    cookie,
    fault,
  }: { readonly action: string; readonly cookie: string; readonly fault: Fault | undefined },
): Reply {
  const picture = logo === null ? none : html`<img class="logo" src="${logo}" alt="" width="48" height="48">`;
  const told =
    fault === undefined ? none : html`<p role="alert">${fault.detail.replace(/^values(?:\.|: )/, '')}</p>`;
  const fields = Object.entries(variables).map(([name, variable]) => keyInput(name, variable));
  const content = html`${picture}<p><strong>${app}</strong> wants to act for <strong>${user}</strong> at <strong>${provider}</strong>, with what you have there.</p>
${told}<form method="post" action="${action}" autocomplete="off">
<input type="hidden" name="csrf" value="${csrf}">
${fields}<button name="decision" value="connect">Connect ${provider}</button>
<button name="decision" value="cancel" class="plain" formnovalidate>Cancel</button>
</form>
<p class="soft">Go on only if you started this yourself, in ${app}. It is tried at ${provider} first, kept sealed, used for your own calls, and shown to nobody again. You can take it away at any time, at <a href="/me">your connections</a>.</p>`;
  return page(fault?.status ?? 200, `Connect ${provider} to ${app}`, content, {
    formTo,
    cookie,
    showsPictures: logo !== null,
  });
}

function keyInput(name: string, asked: UserCredentials['variables'][string]): Html {
  const { description, required, secret, choices, default: usual } = asked;
  const field = `${keyField}${name}`;
  const must = required && usual === null ? html` required` : none;
  const hint = description === '' ? none : html`<span class="soft">${description}</span>`;
  const optional = required ? none : html` <span class="soft">(optional)</span>`;
  const control =
    choices.length > 0
      ? html`<select name="${field}"${must}>${required ? none : html`<option></option>`}${choices.map((each) => html`<option${each === usual ? html` selected` : none}>${each}</option>`)}</select>`
      : html`<input name="${field}" type="${secret ? 'password' : 'text'}" placeholder="${secret ? '' : (usual ?? '')}"${must} autocomplete="off" spellcheck="false" maxlength="8192">`;
  return html`<label>${inWords(name)}${optional}${control}${hint}</label>`;
}

/** `API_KEY` and `apiKey` as people read them. */
function inWords(name: string): string {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_.-]+/g, ' ')
    .trim()
    .toLowerCase()
    .replace(/\b(api|url|id)\b/g, (word) => word.toUpperCase());
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** The end of the way, where there is no app to go back to or the user has to read something first. */
export function outcomePage(outcome: ConsentOutcome, returnTo: string | null): Reply {
  const { app, provider, account, completionCode, error } = outcome;
  const back = returnTo === null ? none : html`<a class="go" href="${returnTo}">Back to ${app}</a>`;
  if (outcome.status === 'error')
    return page(
      200,
      `${provider} was not connected`,
      html`<p role="alert">${error ?? 'Something went wrong.'}</p>${back}<p class="soft">Ask ${app} for a new link to try again.</p>`,
    );
  const who = account == null ? none : html`<p>Account: <strong>${account}</strong></p>`;
  if (completionCode === undefined)
    return page(
      200,
      `${provider} is connected`,
      html`${who}<p>${app} can now act for you at ${provider}.</p>${back}<p class="soft">You can close this page.</p>`,
    );
  return page(
    200,
    'One more step',
    html`${who}<p>Type this code into ${app}, where you started. It is good for five minutes.</p>
<p class="code">${completionCode}</p>${back}
<p class="soft">Give the code to nobody: whoever has it can use your ${provider} account.</p>`,
  );
}

/** For whatever cannot go on. */
export function faultPage(status: number, detail: string): Reply {
  return page(status, 'This did not work', html`<p role="alert">${detail}</p>`);
}

const none: Html = { html: '' };
