#!/usr/bin/env node
/*
 * The console in a real browser: pages.mjs CONSOLE_OUT TREATYD SHOTS
 *
 * Starts a treatyd and a participant, makes transactions of every kind over
 * REST, then walks through the pages in both languages as an operator would,
 * and keeps a picture of each. Any error of the browser's console, and any
 * request that leaves the coordinator's origin, is a failure.
 */
import { strict as assert } from 'node:assert';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const [out, treatyd, shots] = process.argv.slice(2).map((p) => resolve(p));
const { chromium } = createRequire(join(out, 'package.json'))('playwright-core');
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const folder = mkdtempSync(join(tmpdir(), 'treaty-console-'));
mkdirSync(shots, { recursive: true });

/* ---- a participant: what it answers is in the path ---- */

let refusing = true; /* /fickle refuses until it is told not to */
const participant = createServer((request, response) => {
	request.resume();
	request.on('end', () => {
		const path = new URL(request.url, 'http://x').pathname;
		const status =
			path === '/refuse' || (path === '/fickle' && refusing) ? 409 : path === '/busy' ? 500 : 200;
		response.writeHead(status, { 'Content-Type': 'application/json' });
		response.end(status === 200 ? '{"big":9007199254740993}' : '{"error":"short","message":"not enough"}');
	});
});

function listen(server) {
	return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
}

async function freePort() {
	const server = createServer();
	const port = await listen(server);
	await new Promise((done) => server.close(done));
	return port;
}

async function waitFor(port) {
	for (let i = 0; i < 500; i++) {
		const up = await new Promise((done) => {
			const socket = connect(port, '127.0.0.1');
			socket.on('connect', () => (socket.destroy(), done(true)));
			socket.on('error', () => done(false));
		});
		if (up) return;
		await new Promise((done) => setTimeout(done, 20));
	}
	throw new Error(`nobody listens on port ${port}`);
}

/* ---- what there is to see ---- */

const there = await listen(participant);
const port = await freePort();
const base = `http://127.0.0.1:${port}`;
const at = (path) => `http://127.0.0.1:${there}${path}`;

function start() {
	return spawn(
		treatyd,
		['--data-dir', join(folder, 'data'), '--coordinator', '127.0.0.1:7090',
			'--agents-listen', 'tcp://127.0.0.1:0', '--http-listen', `127.0.0.1:${port}`,
			'--http-targets', at('/'), '--log-level', 'error'],
		{ stdio: ['ignore', 'inherit', 'inherit'] },
	);
}

async function api(path, body) {
	const response = await fetch(`${base}/api/v1/${path}`, {
		method: body ? 'POST' : 'GET',
		headers: body ? { 'Content-Type': 'application/json' } : {},
		body: body ? JSON.stringify(body) : undefined,
	});
	const answer = await response.json();
	assert.ok(response.ok, `${path}: ${JSON.stringify(answer)}`);
	return answer;
}

const MACHINE = {
	Name: 'reserve', Version: '1.0', StartState: 'Take',
	States: {
		Take: { Type: 'ServiceTask', ServiceName: at(''), ServiceMethod: 'take', CompensateState: 'Back', Next: 'Enough?' },
		'Enough?': { Type: 'Choice', Choices: [{ Expression: '[n] > 1', Next: 'Pay' }], Default: 'End' },
		Pay: { Type: 'ServiceTask', ServiceName: at(''), ServiceMethod: 'pay', CompensateState: 'Refund', Next: 'End' },
		Back: { Type: 'ServiceTask', ServiceName: at(''), ServiceMethod: 'back' },
		Refund: { Type: 'ServiceTask', ServiceName: at(''), ServiceMethod: 'refund' },
		End: { Type: 'Succeed' },
	},
};

async function makeThings() {
	const tcc = (await api('transactions', { name: 'buy', application: 'shop' })).xid;
	for (const n of [1, 2])
		await api(`transactions/${tcc}/branches`, {
			mode: 'TCC', data: { amount: n }, confirm: at(`/ok${n}`), cancel: at(`/ok${n}`),
			lock_keys: [{ table: 'wallet', key: [String(n)] }],
		});
	await api(`transactions/${tcc}/commit`, { wait_ms: 10000 });
	const hung = (await api('transactions', { name: 'transfer <b>"&', application: 'bank' })).xid;
	await api(`transactions/${hung}/branches`, { mode: 'TCC', confirm: at('/fickle'), cancel: at('/ok') });
	await api(`transactions/${hung}/commit`, { wait_ms: 2000 });
	const many = [];
	for (let i = 0; i < 120; i++)
		many.push(api('transactions', { name: `waits ${i}`, application: 'batch', timeout_ms: 600000 }).then((tx) =>
			api(`transactions/${tx.xid}/branches`, { mode: 'TCC', confirm: at('/ok'), cancel: at('/ok') })));
	await Promise.all(many);
	await api('machines', MACHINE);
	const saga = (await api('sagas', { machine: 'reserve', input: { n: 2 }, business_key: 'order-1', wait_ms: 10000 })).xid;
	const stuck = (await api('sagas', {
		definition: {
			name: 'refund', recovery: 'forward', retry: { attempts: 0, interval_ms: 100 },
			steps: [
				{ name: 'ask', action: at('/ok') },
				{ name: 'left', action: at('/ok'), after: ['ask'] },
				{ name: 'right', action: at('/busy'), after: ['ask'] },
				{ name: 'join', action: at('/ok'), after: ['left', 'right'] },
			],
		},
		input: { id: 'x' }, business_key: 'order-2',
	})).xid;
	await api('topics/orders/subscribers', { subscriber: 'mail', to: at('/ok') });
	await api('messages', { name: 'hello', submit: true, wait_ms: 10000, deliveries: [{ topic: 'orders', data: { text: 'hi' } }] });
	const dead = (await api('messages', {
		name: 'to nowhere', submit: true, wait_ms: 10000, deliveries: [{ to: at('/refuse'), data: { text: 'hi' } }],
	})).xid;
	return { tcc, hung, saga, stuck, dead };
}

/* ---- the walk ---- */

const problems = [];
let expectOffline = false;
let pictures = 0;

async function open(browser, lang, colours) {
	const context = await browser.newContext({
		locale: lang === 'zh' ? 'zh-CN' : 'en-GB', colorScheme: colours,
		viewport: { width: 1360, height: 900 },
	});
	const page = await context.newPage();
	page.setDefaultTimeout(10000);
	page.on('console', (m) => {
		if (m.type() === 'error' && !expectOffline && !/status of 4(04|10)/.test(m.text()))
			problems.push(`${lang}: ${m.text()}`);
	});
	page.on('pageerror', (e) => problems.push(`${lang}: ${e}`));
	page.on('request', (r) => {
		if (!r.url().startsWith(base)) problems.push(`${lang}: asks ${r.url()}`);
	});
	return page;
}

async function go(page, path, wait, name) {
	await page.goto(`${base}/console${path}`);
	await page.locator(wait).first().waitFor();
	if (name) await picture(page, name);
}

async function picture(page, name) {
	await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
	pictures++;
}

async function text(page, selector) {
	return (await page.locator(selector).first().innerText()).trim();
}

/* Every page, in one language; nothing that a reader sees is a bare key. */
async function look(browser, lang, colours, things) {
	const page = await open(browser, lang, colours);
	const shot = (name) => `${name}-${lang}`;
	await page.goto(`${base}/`);
	assert.equal(await text(page, 'h1'), lang === 'zh' ? '概览' : 'Overview');
	assert.equal(await page.locator('html').getAttribute('lang'), lang === 'zh' ? 'zh-CN' : 'en');
	
	await go(page, '', 'tr.hung');
	await page.locator('section:has(#census) tr.hung').first().waitFor();
	assert.match(await text(page, 'section:has(#census)'), /12[01]/);
	await page.locator('.chart .line[d*=L]').first().waitFor({ state: 'attached' }); // two samples make a rate
	await picture(page, shot('overview'));
	await go(page, '/transactions', 'tbody tr', shot('transactions'));
	await go(page, `/transactions/${things.tcc}`, '.timeline svg', shot('transaction'));
	await go(page, `/transactions/${things.hung}`, '.notice.bad', shot('hung'));
	assert.match(await text(page, '.facts'), /transfer <b>"&/);
	await go(page, '/sagas?state=finished', 'tbody tr', shot('sagas'));
	await go(page, `/sagas/${things.saga}`, '.node.done', shot('saga'));
	assert.equal(await page.locator('.edge.taken').count(), 3);
	assert.match(await text(page, '.code >> nth=-1'), /"n": 2/);
	await go(page, `/sagas/${things.stuck}`, '.graph .node', shot('saga-under-way'));
	await go(page, '/machines', 'tbody tr', shot('machines'));
	await go(page, '/machines/reserve?version=1.0', '.node', shot('machine'));
	assert.equal(await page.locator('.node').count(), 6);
	await go(page, '/messages', 'tbody tr', shot('messages'));
	await go(page, `/messages/${things.dead}`, '.notice.bad', shot('message'));
	await go(page, '/dead-letters', 'tbody tr', shot('dead-letters'));
	await go(page, '/topics', 'tbody tr', shot('topics'));
	await go(page, '/nothing', 'h1');
	assert.equal(await text(page, 'h1'), lang === 'zh' ? '此处没有内容' : 'Nothing is here');
	await go(page, '/transactions/127.0.0.1:7090:1', '[role=alert]');
	await page.context().close();
}

async function names(page) {
	return page.locator('tbody td:first-child').allInnerTexts();
}

/* Filters and pages are in the address, so they can be sent and gone back to. */
async function pageThrough(page) {
	await go(page, '/transactions?text=waits', 'tbody tr');
	const first = await names(page);
	assert.equal(first.length, 50);
	await page.keyboard.press('n');
	await page.waitForURL(/after=/);
	await page.waitForFunction((old) => document.querySelector('tbody td').innerText !== old, first[0]);
	const second = await names(page);
	assert.equal(new Set([...first, ...second]).size, 100);
	await page.goBack();
	await page.waitForFunction((old) => document.querySelector('tbody td').innerText === old, first[0]);
	await page.locator('input[type=search]').fill('waits 117');
	await page.waitForURL(/text=waits\+117/);
	await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 1);
	await page.locator('h1').click();
	await page.keyboard.press('j');
	await page.keyboard.press('Enter');
	await page.waitForURL(/transactions\/127/);
	assert.match(await text(page, '.facts'), /waits 117/);
	await page.keyboard.press('g');
	await page.keyboard.press('d');
	await page.waitForURL(/dead-letters/);
	await page.keyboard.press('?');
	await page.locator('dialog[open] kbd').first().waitFor();
	await page.keyboard.press('Escape');
	await page.locator('dialog').waitFor({ state: 'detached' });
}

/* The operator's work: the cause is gone, so it is tried again, with a reason
 * that stands in the history afterwards. */
async function retry(page, xid) {
	await go(page, `/transactions/${xid}`, '.notice.bad');
	refusing = false;
	await page.locator('.head .actions button').click();
	const verb = page.locator('dialog[open] button[type=submit]');
	assert.ok(await verb.isDisabled());
	await page.locator('dialog textarea').fill('the bank is back');
	await picture(page, 'retry-en');
	await verb.click();
	await page.locator('.facts .badge', { hasText: /^Committed$/ }).waitFor();
	assert.match(await text(page, 'section:has(#story) .table'), /the bank is back/);
	assert.equal(await page.locator('.notice.bad').count(), 0);
}

/* What the coordinator refuses is told in words, and the dialog stays. */
async function refused(page, things) {
	await go(page, '/dead-letters', 'tbody tr');
	await page.locator('tbody button').first().click();
	await page.locator('dialog textarea').fill('again');
	await page.route('**/replay', (route) => route.fulfill({
		status: 409, contentType: 'application/problem+json',
		body: '{"code":"wrong_state","detail":"it has finished"}',
	}));
	expectOffline = true;
	await page.locator('dialog button[type=submit]').click();
	await page.locator('dialog [role=alert]', { hasText: 'it has finished' }).waitFor();
	expectOffline = false;
	await page.unroute('**/replay');
	await page.locator('dialog button[type=submit]').click();
	await page.waitForFunction(() => !document.querySelector('dialog'));
	const history = (await api(`messages/${things.dead}`)).history.map((line) => line.text).join('\n');
	assert.match(history, /again/);
}

/* The coordinator goes and comes back: what was shown stays, and says so. */
async function offline(page, coordinator) {
	await go(page, '/', '.tile');
	expectOffline = true;
	await stop(coordinator);
	await page.locator('.offline').waitFor();
	assert.ok((await page.locator('.tile').count()) > 5);
	await picture(page, 'offline-en');
	const again = start();
	await waitFor(port);
	await page.locator('.offline').waitFor({ state: 'detached' });
	expectOffline = false;
	return again;
}

async function settings(page) {
	await go(page, '/topics', 'tbody tr');
	await page.locator('.settings select').selectOption('dark');
	const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
	await page.locator('.settings button').first().click();
	assert.equal(await text(page, 'h1'), '主题');
	await page.reload();
	await page.locator('tbody tr').first().waitFor();
	assert.equal(await text(page, 'h1'), '主题');
	assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), dark);
	assert.equal(dark, 'rgb(18, 22, 28)');
}

function stop(child) {
	return new Promise((done) => {
		if (child.exitCode !== null || child.signalCode !== null) return done();
		child.on('exit', done);
		child.kill('SIGKILL');
	});
}

let coordinator = start();
let browser;
try {
	await waitFor(port);
	const things = await makeThings();
	const executablePath = process.env.CHROMIUM ?? BROWSERS.find(existsSync);
	assert.ok(executablePath, 'Chromium is needed (scripts/packages)');
	browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
	await look(browser, 'en', 'light', things);
	await look(browser, 'zh', 'dark', things);
	const page = await open(browser, 'en', 'light');
	await pageThrough(page);
	await retry(page, things.hung);
	await refused(page, things);
	await settings(page);
	await page.context().close();
	coordinator = await offline(await open(browser, 'en', 'light'), coordinator);
	assert.deepEqual(problems, []);
	console.log(`${pictures} pictures in ${shots}`);
} finally {
	await browser?.close();
	await stop(coordinator);
	participant.closeAllConnections?.();
	participant.close();
	rmSync(folder, { recursive: true, force: true });
}
