// Every kind of command through the official Node.js client.
//
// usage: node client.js HOST PORT LUA

'use strict'

const assert = require('node:assert')
const Aerospike = require('aerospike')
const { bins, equal, fails, sleep } = require('./expect')
const queryChecks = require('./query')
const udfChecks = require('./udf')

const { exists, gen, key: keyPolicy } = Aerospike.policy
const { batchType } = Aerospike
const op = Aerospike.operations
const SET = 'node'

/** Checks by name: each gets the client and a key whose record does not exist. */
const checks = {
  async info_namespaces (client) {
    const replies = await client.infoAll('namespaces')
    for (const { info } of replies) {
      equal(info.trim().split('\t').pop().split(';').sort(), ['bar', 'test'])
    }
  },

  async put_get (client, key) {
    await client.put(key, { a: 1, b: 'two', c: new Aerospike.Double(3.5) })
    const record = await client.get(key)
    equal({ ...record.bins }, { a: 1, b: 'two', c: 3.5 })
    equal(record.gen, 1)
  },

  value_integer: values(0, 1, -1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
  value_integer_limits: values(2n ** 63n - 1n, -(2n ** 63n)),
  value_string: values('', 'plain', 'żółć 🦀', 'x'.repeat(100000)),
  value_blob: values(Buffer.from([0, 1, 255]), Buffer.alloc(100000)),
  value_bool: values(true, false),
  value_list: values([], [1, 'two', 3.5, null, [4, [5]], { six: 7 }]),
  value_map: values({}, { a: 1, b: [2, 3] }),

  async value_float (client, key) {
    for (const value of [0.0, 1.5, -2.25e300]) {
      await client.put(key, { v: new Aerospike.Double(value) })
      equal((await client.get(key)).bins.v, value)
    }
  },

  async value_geojson (client, key) {
    const point = { type: 'Point', coordinates: [21.0, 52.25] }
    await client.put(key, { v: new Aerospike.GeoJSON(point) })
    equal(JSON.parse((await client.get(key)).bins.v.toString()), point)
  },

  async delete_bin (client, key) {
    await client.put(key, { a: 1, b: 2 })
    await client.put(key, { a: null })
    equal(await bins(client, key), { b: 2 })
  },

  async select_bins (client, key) {
    await client.put(key, { a: 1, b: 2, c: 3 })
    equal({ ...(await client.select(key, ['a', 'c'])).bins }, { a: 1, c: 3 })
  },

  async exists_and_header (client, key) {
    equal(await client.exists(key), false)
    await client.put(key, { a: 1 })
    equal(await client.exists(key), true)
    equal((await client.select(key, ['none'])).gen, 1)
  },

  async operate_mix (client, key) {
    await client.put(key, { n: 1, s: 'b' })
    const record = await client.operate(key, [
      op.incr('n', 41),
      op.append('s', 'c'),
      op.prepend('s', 'a'),
      op.write('w', 'new'),
      op.read('n'),
      op.read('s'),
      op.touch()
    ])
    equal(record.bins.n, 42)
    equal(record.bins.s, 'abc')
    equal(await bins(client, key), { n: 42, s: 'abc', w: 'new' })
  },

  async add_append_prepend (client, key) {
    await client.add(key, { n: 5 })
    await client.add(key, { n: -7 })
    await client.append(key, { s: 'b' })
    await client.append(key, { s: 'c' })
    await client.prepend(key, { s: 'a' })
    equal(await bins(client, key), { n: -2, s: 'abc' })
  },

  async incompatible_type (client, key) {
    await client.put(key, { s: 'text', n: 1 })
    await fails(12, client.add(key, { s: 1 }))
    await fails(12, client.append(key, { n: 'x' }))
  },

  async ttl_seconds (client, key) {
    await client.put(key, { a: 1 }, { ttl: 100 })
    near((await client.get(key)).ttl, 100)
  },

  async ttl_never (client, key) {
    await client.put(key, { a: 1 }, { ttl: 100 })
    await client.put(key, { a: 2 }, { ttl: Aerospike.ttl.NEVER_EXPIRE })
    equal((await client.get(key)).ttl, Aerospike.ttl.NEVER_EXPIRE)
  },

  async ttl_dont_update (client, key) {
    await client.put(key, { a: 1 }, { ttl: 100 })
    await client.put(key, { a: 2 }, { ttl: Aerospike.ttl.DONT_UPDATE })
    near((await client.get(key)).ttl, 100)
  },

  async ttl_default (client, key) {
    await client.put(key, { a: 1 }, { ttl: 100 })
    await client.put(key, { a: 2 }, { ttl: Aerospike.ttl.NAMESPACE_DEFAULT })
    equal((await client.get(key)).ttl, Aerospike.ttl.NEVER_EXPIRE)
  },

  async ttl_expires (client, key) {
    await client.put(key, { a: 1 }, { ttl: 1 })
    await sleep(3000)
    await fails(2, client.get(key))
  },

  async touch (client, key) {
    await fails(2, client.operate(key, [op.touch()], { ttl: 10 }))
    await client.put(key, { a: 1 }, { ttl: 100 })
    await client.operate(key, [op.touch()], { ttl: 1000 })
    const record = await client.get(key)
    equal(record.gen, 2)
    near(record.ttl, 1000)
  },

  async generation_equal (client, key) {
    const policy = { gen: gen.EQ }
    await client.put(key, { a: 1 })
    await client.put(key, { a: 2 }, { gen: 1 }, policy)
    await fails(3, client.put(key, { a: 3 }, { gen: 1 }, policy))
    await fails(3, client.remove(key, { gen: gen.EQ, generation: 1 }))
    equal(await bins(client, key), { a: 2 })
  },

  async generation_greater (client, key) {
    const policy = { gen: gen.GT }
    await client.put(key, { a: 1 })
    await fails(3, client.put(key, { a: 2 }, { gen: 1 }, policy))
    await client.put(key, { a: 3 }, { gen: 5 }, policy)
    equal(await bins(client, key), { a: 3 })
  },

  async create_only (client, key) {
    const policy = { exists: exists.CREATE }
    await client.put(key, { a: 1 }, {}, policy)
    await fails(5, client.put(key, { a: 2 }, {}, policy))
  },

  async update_only (client, key) {
    const policy = { exists: exists.UPDATE }
    await fails(2, client.put(key, { a: 1 }, {}, policy))
    await client.put(key, { a: 1 })
    await client.put(key, { b: 2 }, {}, policy)
    equal(await bins(client, key), { a: 1, b: 2 })
  },

  async replace (client, key) {
    await client.put(key, { a: 1, b: 2 })
    await client.put(key, { c: 3 }, {}, { exists: exists.CREATE_OR_REPLACE })
    const record = await client.get(key)
    equal({ ...record.bins }, { c: 3 })
    equal(record.gen, 2)
  },

  async replace_only (client, key) {
    const policy = { exists: exists.REPLACE }
    await fails(2, client.put(key, { a: 1 }, {}, policy))
    await client.put(key, { a: 1, b: 2 })
    await client.put(key, { c: 3 }, {}, policy)
    equal(await bins(client, key), { c: 3 })
  },

  async delete (client, key) {
    await client.put(key, { a: 1 })
    await client.remove(key)
    await fails(2, client.get(key))
    await fails(2, client.remove(key))
  },

  async durable_delete (client, key) {
    await client.put(key, { a: 1 })
    await client.remove(key, { durableDelete: true })
    await fails(2, client.get(key))
    await client.put(key, { a: 2 })
    equal(await bins(client, key), { a: 2 })
  },

  async key_stored (client, key) {
    await client.put(key, { a: 1 }, {}, { key: keyPolicy.DIGEST })
    await client.put(key, { a: 2 }, {}, { key: keyPolicy.SEND })
    equal(await bins(client, key), { a: 2 })
  },

  async not_found (client, key) {
    await fails(2, client.get(key))
    await fails(2, client.operate(key, [op.read('a')]))
  },

  async record_too_big (client, key) {
    await fails(13, client.put(key, { a: Buffer.alloc(2 << 20) }))
  },

  async truncate (client) {
    const doomed = new Aerospike.Key('test', 'node-doomed', 1)
    const kept = new Aerospike.Key('test', 'node-doomed', 2)
    await client.put(doomed, { a: 1 })
    // Records are truncated by the millisecond of their last update.
    await sleep(50)
    await client.truncate('test', 'node-doomed', 0)
    await fails(2, client.get(doomed))
    await sleep(50)
    await client.put(kept, { a: 2 })
    equal(await bins(client, kept), { a: 2 })
  },

  async many_records (client) {
    const forms = [n => n, n => String(n), n => Buffer.from([n >> 8, n & 255])]
    const keys = Array.from({ length: 334 }, (_, n) => n)
      .flatMap(n => forms.map(form => new Aerospike.Key('test', 'node-many', form(n))))
    for (const [n, key] of keys.entries()) await client.put(key, { n })
    for (const [n, key] of keys.entries()) equal(await bins(client, key), { n })
  },

  async batch_get (client) {
    const keys = await batchKeys(client, 'batch_get', 100)
    const rows = await client.batchRead(keys.map(key => ({ key, readAllBins: true })))
    equal(rows.map(row => row.status), keys.map((_, n) => isMissing(n) ? 2 : 0))
    for (const [n, row] of rows.entries()) {
      if (!isMissing(n)) equal({ ...row.record.bins }, { n, s: `value ${n}` })
    }
    const some = [keys[5], keys[6]].map(key => ({ key, bins: ['s'] }))
    const picked = await client.batchRead(some)
    equal(picked.map(row => ({ ...row.record.bins })), [{ s: 'value 5' }, { s: 'value 6' }])
    const elsewhere = [new Aerospike.Key('test', 'no-such-set', 1), new Aerospike.Key('bar', 'batch_get', 1)]
    const others = await client.batchRead([keys[1], ...elsewhere].map(key => ({ key, readAllBins: true })))
    equal(others.map(row => row.status), [0, 2, 2])
  },

  async batch_header (client) {
    const keys = await batchKeys(client, 'batch_header', 20)
    const rows = await client.batchExists(keys)
    equal(rows.map(row => row.status), keys.map((_, n) => isMissing(n) ? 2 : 0))
  },

  async batch_mixed (client) {
    const keys = await batchKeys(client, 'batch_mixed', 6)
    const missing = new Aerospike.Key('test', 'batch_mixed', 'missing')
    const rows = await client.batchWrite([
      { type: batchType.BATCH_READ, key: keys[0], ops: [op.read('n')] },
      { type: batchType.BATCH_WRITE, key: keys[1], ops: [op.incr('n', 10), op.read('n')] },
      { type: batchType.BATCH_WRITE, key: keys[3], ops: [op.write('n', 33)] },
      { type: batchType.BATCH_REMOVE, key: keys[2] },
      { type: batchType.BATCH_READ, key: keys[5], readAllBins: true },
      { type: batchType.BATCH_REMOVE, key: missing }
    ])
    equal(rows.map(row => row.status), [0, 0, 0, 0, 0, 2])
    equal(rows[0].record.bins.n, 0)
    equal(rows[1].record.bins.n, 11)
    equal({ ...rows[4].record.bins }, { n: 5, s: 'value 5' })
    equal(await bins(client, keys[3]), { n: 33 })
    await fails(2, client.get(keys[2]))
  },

  async batch_errors (client) {
    const keys = await batchKeys(client, 'batch_errors', 3)
    const created = new Aerospike.Key('test', 'batch_errors', 'new')
    const write = (key, ops, policy) => ({
      type: batchType.BATCH_WRITE, key, ops, policy: new Aerospike.BatchWritePolicy(policy ?? {})
    })
    const rows = await client.batchWrite([
      write(keys[0], [op.append('n', 'text')]),
      write(keys[1], [op.write('n', 1)], { exists: exists.CREATE }),
      write(keys[2], [op.write('n', 1)], { exists: exists.CREATE }),
      write(created, [op.write('n', 4)])
    ])
    equal(rows.map(row => row.status), [12, 5, 5, 0])
    equal(await bins(client, created), { n: 4 })
  },

  async batch_large (client) {
    const keys = await batchKeys(client, 'batch_large', 2000)
    const rows = await client.batchRead(keys.map(key => ({ key, readAllBins: true })))
    for (const [n, row] of rows.entries()) {
      equal(row.status, isMissing(n) ? 2 : 0)
      if (!isMissing(n)) equal(row.record.bins.n, n)
    }
    const removed = await client.batchRemove(keys)
    equal(removed.map(row => row.status), keys.map((_, n) => isMissing(n) ? 2 : 0))
  }
}

/** Keys in a set of their own; the records that are not missing exist, with bins n and s. */
async function batchKeys (client, name, count) {
  const keys = Array.from({ length: count }, (_, n) => new Aerospike.Key('test', name, n))
  for (const [n, key] of keys.entries()) {
    if (!isMissing(n)) await client.put(key, { n, s: `value ${n}` })
  }
  return keys
}

function isMissing (number) {
  return number % 7 === 3
}

/** A check that writes and reads each of these values. */
function values (...all) {
  return async (client, key) => {
    for (const value of all) {
      await client.put(key, { v: value })
      equal((await client.get(key)).bins.v, value)
    }
  }
}

function near (ttl, expected) {
  assert(ttl >= expected - 3 && ttl <= expected + 1, `ttl ${ttl}, expected about ${expected}`)
}

async function fresh (client, name) {
  const key = new Aerospike.Key('test', SET, name)
  try {
    await client.remove(key)
  } catch (error) {
    if (error.code !== 2) throw error
  }
  return key
}

async function main (host, port, lua) {
  const policy = { totalTimeout: 5000 }
  const client = await Aerospike.connect({
    hosts: `${host}:${port}`,
    policies: {
      read: new Aerospike.ReadPolicy(policy),
      write: new Aerospike.WritePolicy(policy),
      operate: new Aerospike.OperatePolicy(policy),
      remove: new Aerospike.RemovePolicy(policy),
      batch: new Aerospike.BatchPolicy(policy),
      // What changes metadata waits for the disk, which others may keep busy.
      info: new Aerospike.InfoPolicy({ timeout: 30000 })
    },
    modlua: { userPath: lua }
  })
  let passed = 0
  let failed = 0
  for (const [name, run] of Object.entries({ ...checks, ...queryChecks, ...udfChecks })) {
    try {
      await run(client, await fresh(client, name))
      passed += 1
      console.log('ok', name)
    } catch (error) {
      failed += 1
      console.log('FAIL', name, String(error.message).replaceAll('\n', ' '))
    }
  }
  client.close()
  console.log(`${passed} passed, ${failed} failed`)
  return failed === 0 ? 0 : 1
}

main(process.argv[2], process.argv[3], process.argv[4]).then(
  code => process.exit(code),
  error => {
    console.log('FAIL connect', error.message)
    process.exit(1)
  }
)
