import { useState } from 'preact/hooks';
import { session, signIn } from '../api/client.ts';
import { Button } from '../components/button.tsx';
import { Field } from '../components/fields.tsx';
import { Mark } from '../components/icons.tsx';
import { ThemeSwitch } from './theme-switch.tsx';

export function SignIn() {
  const [key, setKey] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  document.title = 'Sign in · MCP Rank';
  const submit = async (event: Event) => {
    event.preventDefault();
    if (key.trim() === '') return setError('Paste an API key: sk_mcp_rank_ and 32 hex digits.');
    setBusy(true);
    setError(undefined);
    try {
      await signIn(key.trim());
    } catch (cause) {
      setError((cause as Error).message);
      setBusy(false);
    }
  };
  return (
    <main class="sign-in">
      <div class="sign-in-card">
        <p class="brand">
          <Mark />
          MCP Rank
        </p>
        <h1>Sign in</h1>
        <p class="lead">Find the right MCP server and tool, call it, and see how that went.</p>
        {session.value?.company !== undefined && (
          <p>
            <a class="button main" href="/console/sign-in" data-plain>
              Sign in at {session.value.company}
            </a>
          </p>
        )}
        <form onSubmit={submit} noValidate>
          <Field label="API key" error={error}>
            {(ids) => (
              <input
                {...ids}
                type="password"
                name="key"
                autoComplete="current-password"
                spellcheck={false}
                placeholder="sk_mcp_rank_…"
                value={key}
                onInput={(event) => setKey(event.currentTarget.value)}
              />
            )}
          </Field>
          <Button kind="main" type="submit" busy={busy}>
            Sign in
          </Button>
        </form>
        <details>
          <summary>Where do I find a key?</summary>
          <p>
            The first start of the service prints an admin key, once. Whoever runs it can make more here, or
            in a terminal:
          </p>
          <pre class="wrap">npx mcprank keys create --developer you</pre>
        </details>
        <p class="muted small-text">
          The key is kept in a cookie that no script can read, for twelve hours, in this browser only.
        </p>
      </div>
      <div class="sign-in-foot">
        <ThemeSwitch />
        <span class="muted small-text">Version {session.value?.version}</span>
      </div>
    </main>
  );
}
