// What the checks may demand.

'use strict'

const assert = require('node:assert')
const Aerospike = require('aerospike')

const equal = assert.deepStrictEqual
const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds))

/** The call must end with this result code. */
async function fails (code, promise) {
  try {
    await promise
  } catch (error) {
    if (error instanceof Aerospike.AerospikeError) return equal(error.code, code)
    throw error
  }
  throw new Error(`succeeded, expected result code ${code}`)
}

async function bins (client, key) {
  return { ...(await client.get(key)).bins }
}

module.exports = { bins, equal, fails, sleep }
