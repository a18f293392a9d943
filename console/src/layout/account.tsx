import { session, signOut } from '../api/client.ts';
import { Button } from '../components/button.tsx';

/** Whose key this is, or what somebody without one may here, and the way out. */
export function Account() {
  const { developer, tier, role, version } = session.value ?? {};
  return (
    <div class="account">
      <div>
        <strong>{developer}</strong>
        <span>
          {role ?? tier} · v{version}
        </span>
      </div>
      <Button kind="quiet" small icon="out" label="Sign out" onClick={() => void signOut()} />
    </div>
  );
}
