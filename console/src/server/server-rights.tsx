import { useState } from 'preact/hooks';
import { useData } from '../api/use-data.ts';
import { Button } from '../components/button.tsx';
import { Loadable } from '../components/states.tsx';
import { ChangeRights } from './change-rights.tsx';

/** Who may see a server, and whose calls carry the credentials that are kept for it. */
export function ServerRights({ id }: { readonly id: string }) {
  const rights = useData('GET /v1/admin/servers/{id}/rights', { params: { id } });
  const [changing, setChanging] = useState(false);
  return (
    <Loadable of={rights} rows={3}>
      {(found) => (
        <>
          <dl class="details">
            <div>
              <dt>Who may see it</dt>
              <dd>{found.visibility === 'public' ? 'everybody' : 'its owner, and whom it is granted to'}</dd>
            </div>
            <div>
              <dt>Owner</dt>
              <dd>{found.developer}</dd>
            </div>
            <div>
              <dt>Granted to</dt>
              <dd>
                {found.granted.length === 0 && <span class="muted">nobody</span>}
                <ul>
                  {found.granted.map(({ developer, credentials }, i) => (
                    <li key={i}>
                      {developer === '*' ? 'everybody' : developer},{' '}
                      {credentials ? 'with the credentials kept for it' : 'without its credentials'}
                    </li>
                  ))}
                </ul>
              </dd>
            </div>
          </dl>
          <p class="after">
            <Button onClick={() => setChanging(true)}>Change who may see it</Button>
          </p>
          {changing && (
            <ChangeRights
              id={id}
              before={found}
              onChanged={rights.reload}
              onClose={() => setChanging(false)}
            />
          )}
        </>
      )}
    </Loadable>
  );
}
