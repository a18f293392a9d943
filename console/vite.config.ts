import { defineConfig } from 'vite';

/** Everything is a file of our own: nothing inlined (the policy forbids it), nothing from elsewhere. */
export default defineConfig({
  base: '/',
  assetsInclude: ['**/*.md'],
  server: { fs: { allow: ['..'] } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    emptyOutDir: true,
    reportCompressedSize: false,
  },
});
