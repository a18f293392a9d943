import { CodeBlock } from '../components/code-block.tsx';
import type { Document } from './document.ts';

export function DocumentView({ document }: { readonly document: Document }) {
  return (
    <div class="prose">
      {document.parts.map((part, i) =>
        'code' in part ? (
          <CodeBlock key={i} label={part.language} text={part.code} />
        ) : (
          // Of our own documents, made when this was built.
          <div key={i} class="part" dangerouslySetInnerHTML={{ __html: part.html }} />
        ),
      )}
    </div>
  );
}
