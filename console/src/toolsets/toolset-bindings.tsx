import { useState } from 'preact/hooks';
import type { ApiKey, ToolsetBindings as Bindings } from '../../../sdk/api.ts';
import type { Loaded } from '../api/use-data.ts';
import { Button } from '../components/button.tsx';
import { ShortId } from '../components/facts.tsx';
import { Loadable } from '../components/states.tsx';
import { ChangeBindings } from './change-bindings.tsx';

/** Whom a toolset decides for. */
export function ToolsetBindings(props: {
  readonly name: string;
  readonly bindings: Loaded<Bindings> & { readonly reload: () => void };
  readonly keys: readonly ApiKey[];
  readonly onChanged: () => void;
}) {
  const { name, bindings, keys, onChanged } = props;
  const [changing, setChanging] = useState(false);
  const nameOf = (id: string) => keys.find(({ key_id }) => key_id === id)?.name;
  return (
    <section aria-labelledby="bindings">
      <h2 id="bindings">Bound to</h2>
      <Loadable of={bindings} rows={2}>
        {(bound) => (
          <>
            {bound.keys.length + bound.developers.length === 0 ? (
              <p class="muted">Nobody: it denies nothing yet.</p>
            ) : (
              <dl class="details">
                <div>
                  <dt>Developers</dt>
                  <dd>{bound.developers.join(', ') || <span class="muted">none</span>}</dd>
                </div>
                <div>
                  <dt>Keys</dt>
                  <dd>
                    {bound.keys.length === 0 && <span class="muted">none</span>}
                    {bound.keys.map((id, i) => (
                      <span key={id}>
                        {i > 0 && ', '}
                        <ShortId id={id} name={nameOf(id)} />
                      </span>
                    ))}
                  </dd>
                </div>
              </dl>
            )}
            <p class="after">
              <Button onClick={() => setChanging(true)}>Change the bindings</Button>
            </p>
            {changing && (
              <ChangeBindings
                name={name}
                before={bound}
                keys={keys}
                onChanged={onChanged}
                onClose={() => setChanging(false)}
              />
            )}
          </>
        )}
      </Loadable>
    </section>
  );
}
