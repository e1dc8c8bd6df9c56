package edgeptf.example

import android.app.Activity
import android.content.res.AssetManager
import android.os.Bundle
import android.widget.EditText
import android.widget.LinearLayout
import android.widget.TextView
import edgeptf.Runner
import java.io.FileInputStream
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.util.concurrent.Executors

/** Answers the typed text with the package `assets/package.eptf`. */
class MainActivity : Activity() {
    // Only this thread uses the runner: it opens it, answers and closes it, in this order.
    private val worker = Executors.newSingleThreadExecutor()
    private var runner: Runner? = null

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        val shown = TextView(this)
        val typed = EditText(this).apply {
            hint = "Say something"
            setSingleLine()
            setOnEditorActionListener { _, _, _ ->
                val text = text.toString()
                work(shown) { answer(text) }
                true
            }
        }
        setContentView(
            LinearLayout(this).apply {
                orientation = LinearLayout.VERTICAL
                fitsSystemWindows = true
                addView(typed)
                addView(shown)
            },
        )
        work(shown) {
            runner = Runner(assets.map("package.eptf"))
            "Ready"
        }
    }

    override fun onDestroy() {
        worker.execute { runner?.close() }
        worker.shutdown()
        super.onDestroy()
    }

    private fun answer(text: String): String {
        val answer = checkNotNull(runner) { "no package is open" }.answer(text)
        val lines = answer.items.map { item ->
            if (item.text == null) "${item.label}  (%.2f)".format(item.score) else "${item.label}: ${item.text}"
        }
        return lines.joinToString("\n").ifEmpty { "nothing found" }
    }

    /** Runs [task] on the worker. Shows its result or the reason of its failure. */
    private fun work(shown: TextView, task: () -> String) = worker.execute {
        val text = try {
            task()
        } catch (error: Exception) {
            error.message ?: error.toString()
        }
        runOnUiThread { shown.text = text }
    }
}

/** An asset as memory, without a copy. It must be stored: see `noCompress` in build.gradle.kts. */
private fun AssetManager.map(name: String): ByteBuffer = openFd(name).use { asset ->
    FileInputStream(asset.fileDescriptor).channel.map(FileChannel.MapMode.READ_ONLY, asset.startOffset, asset.declaredLength)
}
