package afriberta.edge

import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject

/** manifest.json, as far as this runtime reads it; manifest.schema.json has all of it. */
class Manifest(
    val name: String,
    val languages: List<String>,
    /** In the order of the model's output; label 0 is O. */
    val labels: List<String>,
    /** Of a window in sub-words. */
    val maxLength: Int,
    val model: String,
    val externalData: List<String>,
    val threads: Int,
    /** Whether weights are kept re-ordered for speed, at the cost of memory. */
    val prepacking: Boolean,
    /** Divides the logits before the softmax. */
    val temperature: Double,
    val golden: Golden?,
    val files: Map<String, Entry>,
) {
    class Entry(val bytes: Long, val sha256: String)

    /** The file of golden sentences, and by how much a logit may differ from one processor to another. */
    class Golden(val file: String, val logitTolerance: Double)

    internal companion object {
        const val FILE = "manifest.json"
        private const val SCHEMA_VERSION = "1"
        private val PATH = Regex("\\w[\\w.+-]*(/\\w[\\w.+-]*)*")

        /** @throws BundleException it is of another version, or lacks what this runtime relies on */
        fun read(bytes: ByteArray): Manifest {
            val json = parseJson(bytes, FILE)
            val version = json["schema_version"].text
            if (version != SCHEMA_VERSION) {
                throw BundleException(
                    "schema",
                    "$FILE has schema version $version; this runtime reads version $SCHEMA_VERSION.",
                    "Use the runtime that came with the bundle (runtime/kotlin).",
                )
            }
            if (json["task"].text != "token-classification") throw damaged(FILE, "its task is another one")
            val manifest = parse(json)
            val named = listOf(manifest.model) + manifest.externalData
            val wrong = when {
                manifest.labels.firstOrNull() != "O" -> "label 0 is not O"
                manifest.maxLength < 3 -> "max_length is below 3"
                !(manifest.temperature > 0 && manifest.temperature < Double.POSITIVE_INFINITY) ->
                    "the confidence temperature is no positive number"
                named.any { !PATH.matches(it) || it !in manifest.files } -> "its model is not listed"
                else -> return manifest
            }
            throw damaged(FILE, wrong)
        }

        private fun parse(json: JsonElement): Manifest = Manifest(
            name = json["name"].text.orEmpty(),
            languages = strings(json["languages"]),
            labels = strings(json["labels"]),
            maxLength = json["max_length"].number?.toInt() ?: 0,
            model = json["model"].text.orEmpty(),
            externalData = strings(json["external_data"]),
            threads = json["session"]["threads"].number?.toInt() ?: 1,
            prepacking = json["session"]["prepacking"].text != "false",
            temperature = json["confidence"]["temperature"].number ?: 0.0,
            golden = json["golden"]["file"].text?.let {
                Golden(it, json["golden"]["logit_tolerance"].number ?: 0.0)
            },
            files = (json["files"] as? JsonObject).orEmpty().mapValues { (_, entry) ->
                Entry(entry["bytes"].number?.toLong() ?: -1, entry["sha256"].text.orEmpty())
            },
        )

        private fun strings(value: JsonElement?): List<String> = value.items.map { it.text.orEmpty() }
    }
}
