import { useState } from 'preact/hooks';
import type { UserCredentials } from '../../../sdk/api.ts';
import { call } from '../api/client.ts';
import { FormDialog } from '../components/dialog.tsx';
import { ChoiceField, TextField } from '../components/fields.tsx';

type Variable = UserCredentials['variables'][string];

/** What a server asks of one of one's own users, typed in here in place of the connect page: tried there, then kept. */
export function GiveKey(props: {
  readonly user: string;
  readonly serverId: string;
  readonly asks: UserCredentials;
  readonly onGiven: () => void;
  readonly onClose: () => void;
}) {
  const { user, serverId, asks, onGiven, onClose } = props;
  const variables = Object.entries(asks.variables);
  const [values, setValues] = useState<Readonly<Record<string, string>>>(() =>
    Object.fromEntries(variables.map(([name, variable]) => [name, initialOf(variable)])),
  );
  const [account, setAccount] = useState('');
  const give = () =>
    call('POST /v1/identity/credentials', {
      body: {
        user_id: user,
        server_id: serverId,
        values: Object.fromEntries(Object.entries(values).filter(([, value]) => value !== '')),
        ...(account !== '' && { account }),
      },
    });
  return (
    <FormDialog
      title={`What ${user} has at ${serverId}`}
      verb="Try and keep it"
      act={give}
      then={onGiven}
      onClose={onClose}
    >
      <p>
        It is tried at the server first, kept sealed, used for the calls of <strong>{user}</strong> alone, and
        shown to nobody again.
      </p>
      {variables.map(([name, variable]) => (
        <ValueField
          key={name}
          name={name}
          variable={variable}
          value={values[name] ?? ''}
          onValue={(value) => setValues({ ...values, [name]: value })}
        />
      ))}
      <TextField
        label="Account name"
        optional
        hint="For a user who has several accounts there; calls name it."
        maxLength={100}
        value={account}
        onValue={setAccount}
      />
    </FormDialog>
  );
}

function ValueField(props: {
  readonly name: string;
  readonly variable: Variable;
  readonly value: string;
  readonly onValue: (value: string) => void;
}) {
  const { name, variable, value, onValue } = props;
  const { description, required, secret, choices, default: usual } = variable;
  const hint = description === '' ? undefined : description;
  if (choices.length > 0) {
    const none = required ? [] : [['', 'none'] as const];
    const options = [...none, ...choices.map((choice) => [choice, choice] as const)];
    return <ChoiceField label={name} hint={hint} value={value} options={options} onValue={onValue} />;
  }
  return (
    <TextField
      label={name}
      hint={hint}
      optional={!required}
      required={required && usual === null}
      type={secret ? 'password' : 'text'}
      placeholder={secret ? '' : (usual ?? '')}
      maxLength={8_192}
      value={value}
      onValue={onValue}
    />
  );
}

function initialOf({ choices, required, default: usual }: Variable): string {
  if (choices.length === 0) return '';
  return usual ?? (required ? (choices[0] ?? '') : '');
}
