import type { ConsentOutcome, ConsentPage } from '../connections/connections.ts';
import type { Reply } from '../http/route.ts';
import { type Html, html, page } from './html.ts';
import { scopeInWords } from './scope-words.ts';

/** Names app, user, provider and scopes; nothing has happened yet (threats F8, F9). */
export function consentPage(shown: ConsentPage, action: string, cookie: string): Reply {
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
