/*
 * The unit tests: node run.mjs OUT, with OUT the folder that build.sh built in.
 * Each *.test.ts is bundled by esbuild and run by node's own test runner.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2]);
const { buildSync } = createRequire(join(out, 'package.json'))('esbuild');
const folder = mkdtempSync(join(tmpdir(), 'treaty-console-tests-'));
let status = 1;
try {
	const tests = readdirSync(here).filter((name) => name.endsWith('.test.ts'));
	buildSync({
		entryPoints: tests.map((name) => join(here, name)),
		outdir: folder,
		outExtension: { '.js': '.mjs' },
		bundle: true,
		platform: 'node',
		format: 'esm',
		jsx: 'automatic',
		jsxImportSource: 'preact',
		nodePaths: [join(out, 'node_modules')],
		logLevel: 'warning',
	});
	const files = readdirSync(folder).map((name) => join(folder, name));
	if (files.length === 0) throw new Error('there are no tests');
	status = spawnSync(process.execPath, ['--test', ...files], { stdio: 'inherit' }).status ?? 1;
} finally {
	rmSync(folder, { recursive: true });
}
process.exit(status);
