import { useData } from '../api/use-data.ts';
import { when } from '../browser/format.ts';
import { CodeBlock } from '../components/code-block.tsx';
import { EmptyState, Loadable } from '../components/states.tsx';

const refreshMs = 5_000;

/** What the program wrote last, as the process that answers heard it. */
export function ProgramOutput({ id }: { readonly id: string }) {
  const kept = useData('GET /v1/admin/servers/{id}', { params: { id } }, refreshMs);
  return (
    <Loadable of={kept}>
      {({ output }) => {
        const last = output.at(-1);
        if (last === undefined)
          return (
            <EmptyState icon="calls" title="It wrote nothing">
              What a program writes to its error stream stands here, without the values of its environment.
            </EmptyState>
          );
        return (
          <CodeBlock
            label={`Its last lines, until ${when(last.at)}`}
            text={output.map(({ line }) => line).join('\n')}
            wrap
          />
        );
      }}
    </Loadable>
  );
}
