import { Type } from 'typebox';
import { json, type Route, route } from '../http/route.ts';
import { textOrNull } from './field-schemas.ts';

const settingSchema = Type.Object(
  {
    name: Type.String(),
    value: Type.String({ description: 'secrets are masked' }),
    meaning: Type.String(),
    default: textOrNull,
  },
  { $id: 'Setting' },
);
const diagnosticSchema = Type.Object(
  {
    check: Type.String(),
    level: Type.Enum(['ok', 'warning', 'error']),
    message: Type.String(),
  },
  { $id: 'Diagnostic' },
);
const settingsSchema = Type.Object(
  {
    settings: Type.Array(settingSchema),
    findings: Type.Array(diagnosticSchema),
    process: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number()])),
  },
  { $id: 'Settings' },
);

type Settings = {
  readonly name: string;
  readonly value: string;
  readonly meaning: string;
  readonly default: string | null;
}[];
type Findings = readonly { readonly check: string; readonly level: string; readonly message: string }[];

/** What `mcprank doctor` shows, of the process that answers. */
export function settingsRoutes(deps: {
  readonly settings: () => Settings;
  readonly diagnose: () => Promise<Findings>;
  readonly process: () => Readonly<Record<string, string | number>>;
}): Route[] {
  return [
    route({
      method: 'GET',
      url: '/v1/admin/settings',
      summary: 'The effective settings, secrets masked, and whether what they name works',
      scope: 'admin',
      reply: settingsSchema,
      handle: async () =>
        json({ settings: deps.settings(), findings: await deps.diagnose(), process: deps.process() }),
    }),
  ];
}
