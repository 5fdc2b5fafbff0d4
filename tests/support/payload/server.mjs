// A real PayloadCMS without its admin pages: `node server.mjs --dir DIR --port PORT --key KEY`.
// Prints one line of JSON with its address once it answers. The database and the uploaded files lie in DIR.
import fs from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { Readable } from 'node:stream'
import { parseArgs } from 'node:util'
import { sqliteAdapter } from '@payloadcms/db-sqlite'
import { buildConfig, getPayload, handleEndpoints } from 'payload'

// Standard output has the one line; whatever libraries say goes to standard error.
process.stdout.write = process.stderr.write.bind(process.stderr)

const { values } = parseArgs({
  options: { dir: { type: 'string' }, port: { type: 'string', default: '0' }, key: { type: 'string' } },
})
const folder = path.resolve(values.dir)
fs.mkdirSync(folder, { recursive: true })

const config = await buildConfig({
  secret: 'for tests alone',
  telemetry: false,
  logger: { options: { level: 'warn' }, destination: process.stderr },
  typescript: { autoGenerate: false },
  db: sqliteAdapter({ client: { url: `file:${path.join(folder, 'payload.db')}` }, push: true }),
  collections: [
    { slug: 'users', auth: { useAPIKey: true }, fields: [] },
    { slug: 'projects', fields: [{ name: 'slug', type: 'text', unique: true, required: true }] },
    {
      slug: 'media',
      upload: { staticDir: path.join(folder, 'media') },
      fields: [
        { name: 'task_id', type: 'text', unique: true, index: true },
        { name: 'project_id', type: 'text', index: true },
        // Not `project`: its column would be `project_id`, which is taken.
        { name: 'production', type: 'relationship', relationTo: 'projects' },
        { name: 'alt', type: 'text', required: true },
        { name: 'width_px', type: 'number' },
      ],
    },
  ],
})
const payload = await getPayload({ config, disableOnInit: true })
const users = await payload.count({ collection: 'users' })
if (users.totalDocs === 0) {
  await payload.create({
    collection: 'users',
    data: { email: 'service@example.com', password: values.key, enableAPIKey: true, apiKey: values.key },
  })
}

const server = http.createServer(async (incoming, outgoing) => {
  const hasBody = !['GET', 'HEAD'].includes(incoming.method)
  try {
    const request = new Request(`http://${incoming.headers.host}${incoming.url}`, {
      method: incoming.method,
      headers: incoming.headers,
      body: hasBody ? Readable.toWeb(incoming) : undefined,
      duplex: hasBody ? 'half' : undefined,
    })
    const answer = await handleEndpoints({ config, request })
    outgoing.writeHead(answer.status, Object.fromEntries(answer.headers))
    outgoing.end(Buffer.from(await answer.arrayBuffer()))
  } catch (error) {
    console.error(error)
    outgoing.writeHead(500).end()
  }
})
server.listen(Number(values.port), '127.0.0.1', () => {
  fs.writeSync(1, JSON.stringify({ url: `http://127.0.0.1:${server.address().port}/api` }) + '\n')
})
