import { defineConfig } from 'vite';

// `npm run dev` serves the sources and asks a treatyd on its default address.
export default defineConfig({
	base: '/',
	esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
	build: {
		target: 'es2020',
		outDir: 'dist',
		emptyOutDir: true,
		modulePreload: false,
		cssCodeSplit: false,
		assetsInlineLimit: 0,
		reportCompressedSize: false,
	},
	server: { proxy: { '/api': 'http://127.0.0.1:7091' } },
});
