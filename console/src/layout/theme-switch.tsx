import { choose, type Theme, theme } from '../browser/theme.ts';
import { Icon, type IconName } from '../components/icons.tsx';

const options: readonly (readonly [Theme, IconName, string])[] = [
  ['light', 'sun', 'Light'],
  ['system', 'auto', 'As the system'],
  ['dark', 'moon', 'Dark'],
];

export function ThemeSwitch() {
  return (
    <fieldset class="segments theme-switch">
      <legend class="visually-hidden">Theme</legend>
      {options.map(([value, icon, name]) => (
        <button
          type="button"
          key={value}
          aria-pressed={theme.value === value}
          aria-label={name}
          title={name}
          onClick={() => choose(value)}
        >
          <Icon name={icon} />
        </button>
      ))}
    </fieldset>
  );
}
