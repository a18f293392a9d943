import { defineConfig } from 'vite';
import { documentsPlugin } from './documents/documents-plugin.ts';

/** Everything is a file of our own: nothing inlined (the policy forbids it), nothing from elsewhere. */
export default defineConfig({
  base: '/',
  plugins: [documentsPlugin()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    emptyOutDir: true,
    reportCompressedSize: false,
  },
});
