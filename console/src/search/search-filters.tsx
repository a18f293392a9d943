import { useData } from '../api/use-data.ts';
import { Button } from '../components/button.tsx';
import { Select } from '../components/fields.tsx';
import type { Filters } from './search-request.ts';

export function SearchFilters(props: {
  readonly filters: Filters;
  readonly change: (changed: Filters) => void;
}) {
  const { filters, change } = props;
  const { data } = useData('GET /v1/catalogue');
  const categories = (data?.category ?? []).flatMap(({ name }) => (name === null ? [] : [name]));
  return (
    <div class="filters">
      <Select
        label="Category"
        value={filters.category ?? ''}
        options={[['', 'Any'], ...categories.map((name) => [name, name] as const)]}
        onChange={(category) => change({ category })}
      />
      <Select
        label="Transport"
        value={filters.transport ?? ''}
        options={[
          ['', 'Any'],
          ['streamable-http', 'HTTP'],
          ['sse', 'SSE'],
          ['stdio', 'stdio'],
        ]}
        onChange={(transport) => change({ transport })}
      />
      <Select
        label="Credentials"
        value={filters.auth ?? ''}
        options={[
          ['', 'Any'],
          ['none', 'None'],
          ['oauth2', 'OAuth'],
          ['api_key', 'API key'],
          ['bearer', 'Bearer token'],
        ]}
        onChange={(auth) => change({ auth })}
      />
      <Select
        label="Verified"
        value={filters.verified ?? ''}
        options={[
          ['', 'Any'],
          ['yes', 'Verified'],
          ['no', 'Not verified'],
        ]}
        onChange={(verified) => change({ verified })}
      />
      {Object.keys(filters).length > 0 && (
        <Button
          kind="quiet"
          small
          icon="cross"
          onClick={() => change({ category: '', transport: '', auth: '', verified: '' })}
        >
          Clear
        </Button>
      )}
    </div>
  );
}
