package afriberta.edge.sample

import afriberta.edge.BundleException
import afriberta.edge.TaggedEntity
import afriberta.edge.Tagger
import android.app.Activity
import android.graphics.Color
import android.os.Bundle
import android.text.SpannableStringBuilder
import android.text.Spanned
import android.text.style.BackgroundColorSpan
import android.widget.Button
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.ScrollView
import android.widget.TextView
import java.io.IOException
import java.util.concurrent.Executors

/** A text field, a button, and the text again with its names marked. */
class MainActivity : Activity() {
    private val worker = Executors.newSingleThreadExecutor()
    private var tagger: Tagger? = null // the worker's
    private lateinit var result: TextView

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        val input = EditText(this).apply { setText(EXAMPLE) }
        val button = Button(this).apply {
            text = "Tag"
            setOnClickListener { show(input.text.toString()) }
        }
        result = TextView(this).apply { setTextIsSelectable(true) }
        val column = LinearLayout(this).apply {
            orientation = LinearLayout.VERTICAL
            listOf(input, button, result).forEach(::addView)
        }
        setContentView(
            ScrollView(this).apply {
                fitsSystemWindows = true // from API 35 on an app draws below the status bar
                addView(column)
            },
        )
        show(EXAMPLE)
    }

    override fun onDestroy() {
        worker.execute { tagger?.close() }
        worker.shutdown()
        super.onDestroy()
    }

    private fun show(text: String) = worker.execute {
        val shown: CharSequence = try {
            val open = tagger ?: openTagger(applicationContext).also { tagger = it }
            marked(text, open.tag(text))
        } catch (error: BundleException) {
            error.message.orEmpty()
        } catch (error: IOException) {
            error.message.orEmpty()
        }
        runOnUiThread { result.text = shown }
    }

    /** The text with its entities marked, and below it what they are. */
    private fun marked(text: String, entities: List<TaggedEntity>): CharSequence {
        val shown = SpannableStringBuilder(text).append("\n")
        for (entity in entities) {
            val span = BackgroundColorSpan(COLOURS[entity.type] ?: Color.LTGRAY)
            shown.setSpan(span, entity.start, entity.end, Spanned.SPAN_EXCLUSIVE_EXCLUSIVE)
            shown.append("\n%s  %s  %.2f".format(entity.type, entity.text, entity.score))
        }
        return shown
    }

    private companion object {
        const val EXAMPLE = "Rais Samia Suluhu Hassan alitembelea Arusha."
        val COLOURS = mapOf(
            "PER" to Color.rgb(255, 224, 130),
            "LOC" to Color.rgb(165, 214, 167),
            "ORG" to Color.rgb(144, 202, 249),
            "DATE" to Color.rgb(206, 147, 216),
        )
    }
}
