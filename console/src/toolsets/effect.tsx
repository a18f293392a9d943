import type { ToolsetDecision } from '../../../sdk/api.ts';
import { Badge, type Tone } from '../components/facts.tsx';

const words: Readonly<Record<ToolsetDecision['effect'], readonly [Tone, string]>> = {
  allow: ['good', 'allowed'],
  deny: ['bad', 'denied'],
  ask: ['warn', 'asked'],
};

export function Effect({ effect }: Pick<ToolsetDecision, 'effect'>) {
  const [tone, text] = words[effect];
  return <Badge tone={tone}>{text}</Badge>;
}
