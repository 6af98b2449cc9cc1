"""Answers as models write them, and the habits with which another model goes on from a cut."""

GUIDE = """# Setting up a reverse proxy

A reverse proxy sits between **clients** and your application. It terminates TLS, spreads load, \
and \
hides what runs behind it. You'll need about ten minutes, a domain name, and root access.

## 1. Install nginx

On Debian or Ubuntu:

```bash
sudo apt-get update
sudo apt-get install -y nginx
if ! systemctl is-active --quiet nginx; then
    sudo systemctl start nginx
    echo "started nginx"
fi
```

Check that it answers on port 80; `curl -I http://localhost` should say `200 OK`. If it \
doesn't, look \
at the journal (`journalctl -u nginx`).

## 2. Write the configuration

1. Create a file in `/etc/nginx/sites-available`.
2. Name it after your domain:
   - `example.com` for the site itself
   - `api.example.com` for the API
3. Link it into `sites-enabled`, then test it.

| Directive | Meaning | Default |
| --- | --- | --- |
| `proxy_pass` | where requests go | none |
| `proxy_read_timeout` | silence allowed | 60s |
| `client_max_body_size` | largest upload | 1m |

> Never expose the application's own port: bind it to 127.0.0.1 instead.

```python
import asyncio


async def main() -> None:
    server = await asyncio.start_server(handle, "127.0.0.1", 8000)
    async with server:
        await server.serve_forever()


asyncio.run(main())
```

That's it! 🎉 Reload nginx... and your site is live. Prices range from $3.50 to 1,000.25 a year \
(see [the list](https://example.com/prices)). Good luck!
"""

GERMAN = """## Kündigungsschutz im Überblick

Grundsätzlich gilt: Wer länger als sechs Monate in einem Betrieb mit mehr als zehn Beschäftigten \
arbeitet, genießt Kündigungsschutz. Das bedeutet, dass der Arbeitgeber einen Grund braucht – \
personenbedingt, verhaltensbedingt oder betriebsbedingt.

* **Fristen:** Die Kündigungsfrist beträgt mindestens vier Wochen zum Fünfzehnten oder zum Ende \
eines \
Kalendermonats.
* **Form:** Die Kündigung muss schriftlich erfolgen; eine E-Mail genügt nicht.
* **Klage:** Innerhalb von drei Wochen kann Kündigungsschutzklage beim Arbeitsgericht erhoben \
werden.

Außerdem sollten Sie „Aufhebungsverträge“ nie sofort unterschreiben. Lassen Sie sich beraten, \
z. B. \
von einer Gewerkschaft oder einer Fachanwältin für Arbeitsrecht.
"""

FRENCH = """Voici comment préparer une ratatouille pour 4 personnes :

1. Coupez les aubergines, les courgettes et les poivrons en dés d'environ deux centimètres.
2. Faites revenir l'oignon émincé dans l'huile d'olive jusqu'à ce qu'il soit translucide.
3. Ajoutez les légumes un à un ; salez, poivrez, puis laissez mijoter à feu doux 40 minutes.

L'astuce de grand-mère : « Plus elle est réchauffée, meilleure elle est ! » Servez-la tiède, \
avec du \
riz ou des œufs pochés. Bon appétit 😋 !
"""

JAPANESE = """# 東京の公共交通機関

東京の電車はとても便利で、時刻表どおりに運行されています。主な路線は次のとおりです。

- 山手線:都心を一周する環状線で、新宿、渋谷、池袋などの主要駅を結びます。
- 中央線:東京駅から新宿を経由して、西の郊外まで走ります。
- 東京メトロ:九つの路線があり、観光客にもわかりやすい番号が付いています。

ICカード(SuicaやPASMO)があれば、改札をタッチするだけで乗車できます。ラッシュ時は大変混雑するので、\
午前十時以降の移動をおすすめします。👩‍💻 良い旅を!
"""

ALL = {"guide": GUIDE, "german": GERMAN, "french": FRENCH, "japanese": JAPANESE}

PREAMBLES = (
    "Sure, continuing:\n\n",
    "Certainly! Here is the rest of the answer:\n\n",
    "Continuing from where I left off:\n\n",
    "Continuing exactly where I left off… ",
    "Here's the continuation:\n\n",
    "Apologies for the interruption. Here's the rest:\n",
    "[continued]\n",
    "**Continued:**\n\n",
    "Okay, I'll pick up right where I was interrupted.\n\n",
    "Klar, hier ist die Fortsetzung:\n\n",
    "Ich setze genau dort fort, wo ich unterbrochen wurde:\n\n",
    "Fortsetzung:\n",
    "Bien sûr, voici la suite de la réponse :\n\n",
    "Je reprends là où je me suis arrêté :\n\n",
    "¡Claro! Aquí está la continuación:\n\n",
    "Por supuesto. Continúo desde donde lo dejé:\n\n",
)
