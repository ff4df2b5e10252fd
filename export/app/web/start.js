// What app.js cannot say: that it did not come whole, or that this browser is too old to read it. Hence a classic
// script, in the JavaScript of old browsers.

(function () {
  var root = document.documentElement;

  function part(id) {
    return document.getElementById(id);
  }

  function began() {
    return root.hasAttribute("data-began");
  }

  function tell(title, advice, detail) {
    root.setAttribute("data-state", "error");
    part("error-title").textContent = title;
    part("error-advice").textContent = advice;
    part("error-detail").textContent = detail;
    part("error").hidden = false;
    part("progress").hidden = true;
    part("progress-text").textContent = "";
  }

  function tellOld(detail) {
    var needs = "It needs Chrome or Edge 100, Firefox 114, Safari 16.4, or newer. ";
    tell("This browser is too old for this app", needs + "Update the browser or try another one.", detail);
  }

  window.addEventListener(
    "error",
    function (event) {
      if (began()) return;
      if (event.message) tellOld(event.message);
      else if (event.target && event.target.nodeName === "SCRIPT") {
        var detail = "app.js, or a file that it needs, cannot be loaded.";
        tell("A part of this app cannot be downloaded", "Check the connection, then try again.", detail);
      }
    },
    true // scripts' errors do not bubble
  );
  part("retry").addEventListener("click", function () {
    if (!began()) location.reload();
  });
  if (!("noModule" in document.createElement("script"))) tellOld("It runs no JavaScript modules.");
})();
