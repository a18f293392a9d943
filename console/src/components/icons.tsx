/** Drawn here, so that no font or sprite is loaded; 20 by 20, in the colour of the text. */
const paths = {
  search: 'M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM13 13l4 4',
  catalogue: 'M3.5 4.5h13v4h-13zM3.5 11.5h13v4h-13zM6 6.5h.01M6 13.5h.01',
  activity: 'M2.5 10.5h3l2.5-6 4 11 2.5-5h3',
  calls: 'M7 5.500h10M7 10h10M7 14.500h10M3.500 5.500h.01M3.500 10h.01M3.500 14.500h.01',
  keys: 'M12.5 3.5a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM9.5 10.5l-6 6M5.5 14.5l2 2',
  toolsets: 'M3 4.500h14L11.800 11v3.500l-3.600 2V11z',
  people:
    'M7.5 4a2.75 2.75 0 1 0 0 5.5 2.75 2.75 0 0 0 0-5.5zM2.5 16c.3-2.8 2.200-4.5 5-4.500s4.700 1.700 5 4.500M13 4.500a2.500 2.500 0 0 1 0 4.800M15 12c1.500.700 2.300 2 2.500 4',
  shield: 'M10 2.500l6 2.500v4.500c0 4-2.500 6.500-6 8-3.500-1.500-6-4-6-8V5zM7.200 10.200l2 2 3.600-4',
  bell: 'M5 14V9a5 5 0 0 1 10 0v5l1.500 1.500h-13zM8.500 17.700h3',
  link: 'M8.500 11.500a3 3 0 0 0 4.200 0l2.800-2.800a3 3 0 0 0-4.200-4.200l-1 1M11.500 8.500a3 3 0 0 0-4.200 0l-2.800 2.800a3 3 0 0 0 4.200 4.200l1-1',
  inbox: 'M3.500 11.500l2-7h9l2 7v4.500h-13zM3.500 11.500h4l1 2h3l1-2h4',
  audit: 'M5 3.500h7l3.500 3.500v9.500H5zM7.500 9.500h5M7.500 12.500h5',
  settings: 'M3 6.500h8M15 6.500h2M13 4.500v4M3 13.500h2M9 13.500h8M7 11.500v4',
  docs: 'M10 5.500c-1.500-1.300-4-1.700-6.500-1.500v11c2.500-.2 5 .2 6.500 1.500 1.500-1.300 4-1.700 6.500-1.500V4c-2.500-.2-5 .2-6.500 1.500zM10 5.500v11',
  copy: 'M7 7h9v9H7zM4 13V4h9',
  check: 'M4.500 10.500l3.500 3.500 7.500-8',
  warn: 'M10 3.500l7 12.500H3zM10 8.500v3.500M10 14.200h.01',
  cross: 'M5 5l10 10M15 5L5 15',
  plus: 'M10 4v12M4 10h12',
  chevron: 'M7.500 5l5 5-5 5',
  sun: 'M10 6.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7zM10 2v1.500M10 16.500V18M2 10h1.500M16.500 10H18M4.300 4.300l1.100 1.100M14.600 14.600l1.100 1.100M4.300 15.700l1.100-1.100M14.600 5.400l1.100-1.100',
  moon: 'M16.500 12A7 7 0 0 1 8 3.500a7 7 0 1 0 8.500 8.500z',
  auto: 'M3 4h14v9.500H3zM10 13.500v3M6.500 16.500h7',
  menu: 'M3.500 6h13M3.500 10h13M3.500 14h13',
  refresh: 'M16 6.500A7 7 0 1 0 17 10M16.500 3v4h-4',
  out: 'M8 4H4v12h4M8 10h9M13.500 6.500L17 10l-3.500 3.500',
  play: 'M6 4.500l9 5.500-9 5.500z',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <rect x="7" y="8" width="18" height="4" rx="2" />
      <rect x="7" y="14" width="12" height="4" rx="2" opacity=".8" />
      <rect x="7" y="20" width="7" height="4" rx="2" opacity=".6" />
    </svg>
  );
}
