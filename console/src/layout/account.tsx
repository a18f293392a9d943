import { session, signOut } from '../api/client.ts';
import { Button } from '../components/button.tsx';

/** Whose key this is, and the way out. */
export function Account() {
  const { developer, tier, version } = session.value ?? {};
  return (
    <div class="account">
      <div>
        <strong>{developer}</strong>
        <span>
          {tier} · v{version}
        </span>
      </div>
      <Button kind="quiet" small icon="out" label="Sign out" onClick={() => void signOut()} />
    </div>
  );
}
