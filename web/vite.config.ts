// How the page is built: everything in files of its own (the page's content security policy allows nothing inline),
// named by their content's hash; only index.html, sw.js and what lies in public/ keep their names.
import { readdirSync } from 'node:fs';

import { defineConfig, type Plugin } from 'vite';

// The service worker keeps exactly the files of its own build: their names are written into it, so that it changes
// when any of them does.
function listFilesInServiceWorker(): Plugin {
  return {
    name: 'list-files-in-service-worker',
    apply: 'build',
    enforce: 'post', // when the style sheet has its name
    generateBundle(_options, bundle) {
      const worker = bundle['sw.js'];
      if (worker?.type !== 'chunk') throw new Error('the build made no sw.js');
      const files = Object.keys(bundle).filter((name) => name.startsWith('assets/')).concat(readdirSync('public'));
      for (const kind of ['.js', '.css']) if (!files.some((name) => name.endsWith(kind))) throw new Error(`no ${kind} for sw.js`);
      const listed = JSON.stringify(['/', ...files.sort().map((name) => `/${name}`)]);
      if (!worker.code.includes('__PAGE_FILES__')) throw new Error('sw.js has no place for its list of files');
      worker.code = worker.code.replace('__PAGE_FILES__', () => listed);
    },
  };
}

// `npm run dev` shows the page from its sources and passes calls on to this node.
const node = process.env['PARLEY_NODE'] ?? 'http://127.0.0.1:8080';

export default defineConfig({
  plugins: [listFilesInServiceWorker()],
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  server: { proxy: { '^/parley\\.v1\\.': { target: node, changeOrigin: true } } },
  build: {
    outDir: '../build/web/dist',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    cssCodeSplit: false,
    modulePreload: false,
    reportCompressedSize: false,
    rollupOptions: {
      input: { page: 'index.html', sw: 'src/sw.ts' },
      output: {
        entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
});
