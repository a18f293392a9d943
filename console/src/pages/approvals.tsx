import { useState } from 'preact/hooks';
import type { Approval } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import { useData } from '../api/use-data.ts';
import { useMutation } from '../api/use-mutation.ts';
import { pretty, when } from '../browser/format.ts';
import { serverPath, toolsetPath } from '../browser/router.ts';
import { Button } from '../components/button.tsx';
import { CodeBlock } from '../components/code-block.tsx';
import { Dialog } from '../components/dialog.tsx';
import { Badge, ShortId, Time, type Tone } from '../components/facts.tsx';
import { Select, TextField } from '../components/fields.tsx';
import { EmptyState, ErrorNotice, PageHeader } from '../components/states.tsx';
import { type Column, List } from '../components/table.tsx';

const stateOptions = ['pending', 'approved', 'denied', 'started', 'done', 'expired', ''].map(
  (state) => [state, state === '' ? 'All' : state] as const,
);

const mostShown = 200;
/** Whoever decides has the page open, and calls come. */
const everyMs = 5_000;

/** Calls that wait for somebody. `named`: the one that a link leads to. */
export function ApprovalsPage({ named }: { readonly named: string | null }) {
  const [state, setState] = useState(named === null ? 'pending' : '');
  const [shown, setShown] = useState<string | null>(named);
  const list = useData(
    'GET /v1/admin/approvals',
    { query: { state: state as Approval['state'], limit: mostShown } },
    everyMs,
  );
  const one = list.data?.approvals.find(({ id }) => id === shown);
  return (
    <>
      <PageHeader
        title="Approvals"
        lead="Calls that a rule wants somebody to approve. An approval is good for this one call, as long as the tool and the rule are what they are now."
      >
        <Select label="State" value={state} options={stateOptions} onChange={setState} />
      </PageHeader>
      <List
        of={list}
        rows={({ approvals }) => approvals}
        keyOf={({ id }) => id}
        label="Approvals"
        columns={columns(setShown)}
        empty={
          <EmptyState icon="inbox" title="Nothing waits here">
            A rule with the effect <strong>ask</strong> sends calls here.{' '}
            <a href="/docs/rights">How that works</a>
          </EmptyState>
        }
      />
      {one !== undefined && (
        <ApprovalDialog of={one} onDecided={list.reload} onClose={() => setShown(null)} />
      )}
    </>
  );
}

const tones: Readonly<Record<Approval['state'], Tone>> = {
  pending: 'warn',
  approved: 'good',
  denied: 'bad',
  started: 'warn',
  done: 'plain',
  expired: 'plain',
};

function columns(show: (id: string) => void): Column<Approval>[] {
  return [
    {
      head: 'Tool',
      cell: ({ tool, server_id }) => (
        <>
          {tool}
          <span class="id">
            of <a href={serverPath(server_id)}>{server_id}</a>
          </span>
        </>
      ),
    },
    { head: 'Asked', kind: 'nowrap', cell: ({ created_at }) => <Time at={created_at} /> },
    {
      head: 'By',
      cell: ({ developer_id, key_id, user_id }) => (
        <>
          <ShortId id={developer_id} />
          <span class="muted small-text below">
            <ShortId id={key_id} />
            {user_id !== null && ` for ${user_id}`}
          </span>
        </>
      ),
    },
    {
      head: 'State',
      cell: ({ state, toolset }) => (
        <>
          <Badge tone={tones[state]}>{state}</Badge>
          <span class="small-text below">
            asked by <a href={toolsetPath(toolset)}>{toolset}</a>
          </span>
        </>
      ),
    },
    {
      head: 'Actions',
      kind: 'actions',
      cell: ({ id, tool, state }) => {
        const [verb, link] = state === 'pending' ? ['Decide', 'on'] : ['Details', 'of'];
        return (
          <Button small onClick={() => show(id)} label={`${verb} ${link} ${tool}, ${id}`}>
            {verb}
          </Button>
        );
      },
    },
  ];
}

function ApprovalDialog(props: {
  readonly of: Approval;
  readonly onDecided: () => void;
  readonly onClose: () => void;
}) {
  const { of, onDecided, onClose } = props;
  return (
    <Dialog title={`${of.tool} of ${of.server_id}`} onClose={onClose}>
      <div class="dialog-body">
        <p>
          <Badge tone={tones[of.state]}>{of.state}</Badge>
        </p>
        <ApprovalFacts of={of} />
        {of.arguments !== null && <CodeBlock label="Arguments" text={pretty(of.arguments)} wrap />}
        {of.changes.map(({ at, kind, before, after }) => (
          <section key={`${at} ${kind}`}>
            <h3>
              Its {kind} changed {when(at)}
            </h3>
            <CodeBlock label="Before" text={before ?? ''} wrap />
            <CodeBlock label="After" text={after ?? ''} wrap />
          </section>
        ))}
      </div>
      {of.state === 'pending' && <Deciding id={of.id} onDecided={onDecided} onClose={onClose} />}
    </Dialog>
  );
}

function ApprovalFacts({ of }: { readonly of: Approval }) {
  const rows = [
    ['Approval', of.id],
    ['Asked', when(of.created_at)],
    ['Expires', when(of.expires_at)],
    ['Developer', of.developer_id],
    ['Key', of.key_id],
    ['User', of.user_id ?? 'none'],
    ['Rule', `${of.toolset}, version ${of.version}`],
    ['Definition (SHA-256)', of.definition ?? 'none in the catalogue'],
    ['Arguments (SHA-256)', of.arguments_digest],
    ...(of.decided_by === null ? [] : [['Decided', `by ${of.decided_by}, ${when(of.decided_at ?? '')}`]]),
    ...(of.note === null ? [] : [['Note', of.note]]),
    ...(of.used_at === null ? [] : [['Used', when(of.used_at)]]),
  ] as const;
  return (
    <dl class="details">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Deciding(props: {
  readonly id: string;
  readonly onDecided: () => void;
  readonly onClose: () => void;
}) {
  const { id, onDecided, onClose } = props;
  const [note, setNote] = useState('');
  const decide = (decision: 'approve' | 'deny') => async () => {
    const body = { decision, ...(note.trim() !== '' && { note: note.trim() }) };
    await call('POST /v1/admin/approvals/{id}', { params: { id }, body });
  };
  const onDone = () => {
    onDecided();
    onClose();
  };
  const approving = useMutation(decide('approve'), onDone);
  const denying = useMutation(decide('deny'), onDone);
  const error = approving.error ?? denying.error;
  return (
    <>
      <div class="dialog-body">
        <TextField label="Note" optional maxLength={2000} value={note} onValue={setNote} />
        {error !== null && <ErrorNotice error={error} />}
      </div>
      <div class="dialog-foot">
        <Button kind="danger" busy={denying.busy} onClick={denying.run}>
          Deny
        </Button>
        <Button kind="main" busy={approving.busy} onClick={approving.run}>
          Approve
        </Button>
      </div>
    </>
  );
}
