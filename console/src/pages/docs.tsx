import { useEffect, useState } from 'preact/hooks';
import { TypedFilter } from '../components/fields.tsx';
import { EmptyState, ErrorNotice, PageHeader, Skeleton } from '../components/states.tsx';
import type { Document } from '../docs/document.ts';
import { DocumentView } from '../docs/document-view.tsx';
import { find, loadDocuments } from '../docs/library.ts';

export function DocsPage({ name }: { readonly name: string | undefined }) {
  const [documents, setDocuments] = useState<readonly Document[] | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [text, setText] = useState('');
  const load = () => {
    setError(null);
    loadDocuments().then(setDocuments, setError);
  };
  useEffect(load, []);
  // A link followed is a search done.
  useEffect(() => setText(''), [name, location.hash]);
  const shown = documents?.find((each) => each.name === name);
  useEffect(() => {
    if (shown === undefined) return;
    document.title = `${shown.title} · MCP Rank`;
    if (location.hash !== '')
      document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
  }, [shown, text]);

  if (error !== null) return <ErrorNotice error={error} retry={load} />;
  if (documents === null)
    return (
      <>
        <PageHeader title="Docs" />
        <Skeleton rows={6} />
      </>
    );
  return (
    <div class="docs">
      <div class="docs-side">
        <search>
          <TypedFilter label="Search the docs" value={text} onValue={setText} />
        </search>
        <nav aria-label="Documents">
          <ul>
            {documents.map((each) => (
              <li key={each.name}>
                <a href={`/docs/${each.name}`} aria-current={each.name === name ? 'page' : undefined}>
                  {each.title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
      </div>
      <div class="docs-body">
        {text.trim() !== '' ? (
          <Results documents={documents} text={text} />
        ) : shown !== undefined ? (
          <DocumentView document={shown} />
        ) : (
          <Contents documents={documents} name={name} />
        )}
      </div>
    </div>
  );
}

function Results({ documents, text }: { readonly documents: readonly Document[]; readonly text: string }) {
  const found = find(documents, text);
  return (
    <>
      <PageHeader title={`“${text.trim()}” in the docs`} />
      <p class="visually-hidden" role="status">
        {found.length} sections found
      </p>
      {found.length === 0 && (
        <EmptyState icon="docs" title="No section has all of these words">
          Try fewer of them.
        </EmptyState>
      )}
      <ul class="doc-hits">
        {found.map(({ document, section, excerpt }) => (
          <li key={`${document.name}#${section.anchor}`}>
            <a href={`/docs/${document.name}${section.anchor === '' ? '' : `#${section.anchor}`}`}>
              <span class="muted small-text">{document.title}</span>
              <strong>{section.heading}</strong>
              <span class="muted">{excerpt}</span>
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}

function Contents({
  documents,
  name,
}: {
  readonly documents: readonly Document[];
  readonly name: string | undefined;
}) {
  return (
    <>
      <PageHeader
        title="Docs"
        lead={
          name === undefined
            ? 'Everything about the service, at the version that runs here.'
            : `There is no document called ${name}.`
        }
      />
      <ul class="doc-cards">
        {documents.map((each) => (
          <li key={each.name}>
            <a class="card" href={`/docs/${each.name}`}>
              <strong>{each.title}</strong>
              <span class="muted">
                {each.sections
                  .slice(1, 6)
                  .map(({ heading }) => heading)
                  .join(' · ') || each.sections[0]?.text.slice(0, 140)}
              </span>
            </a>
          </li>
        ))}
      </ul>
      <p class="muted">
        The API itself is described at{' '}
        <a href="/openapi.json" data-plain>
          /openapi.json
        </a>
        .
      </p>
    </>
  );
}
