package afriberta.edge

import java.io.InputStream
import kotlin.math.exp

/** Input ids of one window, with `<s>` and `</s>`, to logits: row by row, one row per id, one column per label. */
fun interface Model : AutoCloseable {
    fun logits(inputIds: IntArray): FloatArray

    override fun close() {}
}

/** An entity in the user's own string: `text.substring(start, end)`. Every end is exclusive. */
data class TaggedEntity(
    val type: String,
    val text: String,
    /** UTF-16 units, as in Kotlin's own strings. */
    val start: Int,
    val end: Int,
    /** Code points, as Python counts. */
    val startCodePoint: Int,
    val endCodePoint: Int,
    /** UTF-8 bytes. */
    val startByte: Int,
    val endByte: Int,
    /** Mean probability of its words' tags, 0 to 1. */
    val score: Double,
)

/** Where a sentence stands (UTF-16 units) and its entities. */
data class TaggedSentence(val start: Int, val end: Int, val entities: List<TaggedEntity>)

/** What the model makes of each word of a sentence: its tag, the tag's probability (0 to 1), one logit per label. */
class Prediction(val tags: List<String>, val scores: List<Double>, val logits: List<FloatArray>)

/**
 * Tags text with one bundle; [load] reads its parts. Not for the main thread: a sentence takes milliseconds, opening
 * more. Threads may share one.
 *
 * @property labels in the order of the model's output; label 0 is O
 * @property temperature divides the logits before the softmax
 */
class Tagger(
    private val model: Model,
    val encoder: WordEncoder,
    val labels: List<String>,
    val temperature: Double = 1.0,
) : AutoCloseable {
    /** The entities of [text], in order. Any string gives an answer; blank text gives none. */
    fun tag(text: String): List<TaggedEntity> = sentences(text).flatMap { it.entities }.toList()

    /** The same sentence by sentence, for long text: each is tagged when it is asked for. */
    fun sentences(text: String): Sequence<TaggedSentence> {
        val offsets = TextOffsets(text)
        return splitSentences(text, splitWords(text)).asSequence().map { words ->
            val prediction = predict(words.map { it.text })
            val entities = group(prediction.tags, prediction.scores).map { entity ->
                val start = words[entity.startWord].start
                val end = words[entity.endWord - 1].end
                TaggedEntity(
                    type = entity.type,
                    text = text.substring(start, end),
                    start = start,
                    end = end,
                    startCodePoint = offsets.codePoint(start),
                    endCodePoint = offsets.codePoint(end),
                    startByte = offsets.byte(start),
                    endByte = offsets.byte(end),
                    score = entity.score,
                )
            }
            TaggedSentence(words.first().start, words.last().end, entities)
        }
    }

    /** One tag per word of an already split sentence. */
    fun tagWords(words: List<String>): List<String> = predict(words).tags

    /** Tags, probabilities and logits of an already split sentence. */
    fun predict(words: List<String>): Prediction {
        val rows = wordLogits(words)
        val best = rows.map { row -> row.indices.reduce { top, label -> if (row[label] > row[top]) label else top } }
        val scores = rows.mapIndexed { index, row -> probability(row, best[index]) }
        return Prediction(best.map { labels[it] }, scores, rows)
    }

    /** Frees the model's memory. */
    override fun close() = model.close()

    /**
     * One row of logits per word: that of its first sub-word. A word without sub-words is certain to be label 0.
     */
    private fun wordLogits(words: List<String>): List<FloatArray> {
        val rows = Array(words.size) { FloatArray(labels.size) { label -> if (label == 0) 0f else -CERTAIN } }
        for (window in encoder.windows(words)) {
            val output = model.logits(window.inputIds)
            if (output.size != window.inputIds.size * labels.size) {
                val expected = "${window.inputIds.size} by ${labels.size}"
                throw damaged("The model", "its answer is not float32 of $expected")
            }
            window.words.forEachIndexed { position, word ->
                val at = window.first[position] * labels.size
                if (window.keep[position]) rows[word] = output.copyOfRange(at, at + labels.size)
            }
        }
        return rows.asList()
    }

    /** Probability of a label: softmax over logits divided by the temperature, in single precision as in Python. */
    private fun probability(row: FloatArray, label: Int): Double {
        val scaled = row.map { it / temperature.toFloat() }
        val largest = scaled.max()
        val powers = scaled.map { exp((it - largest).toDouble()) }
        return powers[label] / powers.sum()
    }

    companion object {
        private const val CERTAIN = 1e4f
        private const val LONGEST_WINDOW = 512 // sub-words, with <s> and </s>: where AfriBERTa's position table ends

        /**
         * Opens a bundle.
         *
         * @param files opens one file of the bundle by its name, for example from an app's assets
         * @param verify check every file's sha256; sizes are always checked
         * @param open makes the model of a bundle: [OrtModel.open], or [OrtModel.openFile] where it lies on disk
         * @throws BundleException a file is missing, damaged or incomplete, or the device cannot run it
         */
        fun load(
            files: (String) -> InputStream,
            verify: Boolean = true,
            open: (Bundle) -> Model = OrtModel::open,
        ): Tagger {
            val bundle = Bundle(files, verify)
            val manifest = bundle.manifest
            val specification = parseJson(bundle.read(TOKENIZER), TOKENIZER)
            val encoder = WordEncoder(specification, minOf(manifest.maxLength, LONGEST_WINDOW))
            return Tagger(open(bundle), encoder, manifest.labels, manifest.temperature)
        }

        private const val TOKENIZER = "tokenizer.json"
    }
}
