import type { AddressFound } from '../../../sdk/api.ts';
import { count, ms as milliseconds } from '../browser/format.ts';
import { ServerIcon, State } from '../components/facts.tsx';
import { ErrorNotice } from '../components/states.tsx';
import type { Probing } from './use-address-probe.ts';

const shownTools = 8;
const wanted: Readonly<Record<string, string>> = {
  oauth2: 'Each user connects it: choose OAuth of the user.',
  bearer: 'It wants a bearer token: add an Authorization header.',
  api_key: 'It wants a key: add the header that it goes in.',
};

/** What is at the address, while one looks. */
export function AddressFindings({ probing }: { readonly probing: Probing }) {
  return (
    <div class="address-findings" aria-live="polite">
      {probing.state === 'busy' && <p class="muted">Looking …</p>}
      {probing.state === 'failed' && <ErrorNotice error={probing.error} />}
      {probing.state === 'found' && <Found found={probing.found} />}
    </div>
  );
}

function Found({ found }: { readonly found: AddressFound }) {
  const { state, tools, latency_ms: ms, reason, auth_type: auth } = found;
  return (
    <>
      <p>
        {found.icon !== null && <ServerIcon uri={found.icon} />}
        <State state={state} /> {state === 'up' && `${found.name ?? 'It'} has ${count(tools.length, 'tool')}`}
        {state === 'up' && ms !== null && `, listed in ${milliseconds(ms)}`}
        {state === 'auth' && (wanted[auth ?? ''] ?? 'It says no more than that it wants credentials.')}
        {(state === 'down' || state === 'not_mcp') && reason}
      </p>
      {tools.length > 0 && (
        <ul class="names">
          {tools.slice(0, shownTools).map(({ name, description }) => (
            <li key={name} title={description}>
              <code>{name}</code>
            </li>
          ))}
          {tools.length > shownTools && <li class="muted">and {tools.length - shownTools} more</li>}
        </ul>
      )}
    </>
  );
}
