"""The slot values of the synthetic demo corpus. `unseen` values occur in test only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Slot:
    """Values of one slot. `tag` is its type in the BIO tags."""

    tag: str
    known: tuple[str, ...]
    unseen: tuple[str, ...] = ()


def listed(text: str) -> tuple[str, ...]:
    """The entries of a text that are separated by `|`, each on a single line."""
    return tuple(" ".join(part.split()) for part in text.split("|") if part.strip())


_SMALL = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty"]
_MINUTES = (
    *_SMALL,
    "fifteen",
    *_TENS,
    "twenty five",
    "thirty five",
    "forty five",
    "3",
    "5",
    "8",
    "10",
    "20",
    "25",
    "90",
)
_HOURS = (*_SMALL, "6", "7", "8", "9", "10")

SLOTS: dict[str, Slot] = {
    "room": Slot(
        "room",
        listed("""kitchen | living room | bedroom | bathroom | hallway | office | garage | dining room | kids room |
        guest room | basement | attic | nursery | study | laundry room | master bedroom | entrance |
        upstairs room | playroom | music room | spare room | loft | sunroom | workshop"""),
        listed("conservatory | porch | den | back room | library | greenhouse"),
    ),
    "place": Slot(
        "place",
        listed("front door | back door | driveway | garden | garage | side gate | patio | hallway | nursery | yard"),
        listed("porch | pool | cellar door | balcony"),
    ),
    "device": Slot(
        "device",
        listed("""coffee machine | heater | kettle | humidifier | air purifier | christmas tree | printer | router |
        desk lamp | toaster | aquarium | game console | electric blanket | slow cooker | monitor | speaker |
        washing machine | hair dryer | record player | fountain | night light | rice cooker"""),
        listed("espresso maker | dehumidifier | floor lamp | sewing machine | hair straightener"),
    ),
    "duration": Slot(
        "duration",
        (
            *(f"{count} minutes" for count in _MINUTES),
            *(f"{count} seconds" for count in ("thirty", "forty five", "ninety", "10", "20")),
            *(f"{count} hours" for count in ("two", "three", "four", "6")),
            *listed(
                "one minute | a minute | an hour | one hour | half an hour | an hour and a half | a quarter of an hour"
            ),
            *(f"one hour and {count} minutes" for count in ("ten", "twenty", "forty")),
        ),
        listed(
            "seventeen minutes | two and a half hours | a couple of minutes | 75 minutes | three quarters of an hour"
        ),
    ),
    "time": Slot(
        "time",
        (
            *(f"{hour} {half}" for hour in _HOURS for half in ("am", "pm")),
            *(f"{hour} o'clock" for hour in ("five", "six", "eight", "nine")),
            *(f"{part} {hour}" for part in ("half past", "quarter to", "quarter past") for hour in _SMALL[3:8]),
            *(f"{hour} thirty" for hour in _SMALL[3:9]),
            *listed("noon | midnight | 6:45 | 7:15 | 8:30 | 17:00 | six in the morning | nine in the evening"),
        ),
        listed("ten to seven | 5:55 am | twenty past nine | sunrise | four fifteen | 21:40"),
    ),
    "date": Slot(
        "date",
        listed("""today | tomorrow | tonight | monday | tuesday | wednesday | thursday | friday | saturday | sunday |
        this weekend | next monday | next week | the day after tomorrow | tomorrow morning | friday evening |
        next thursday | the third of may | june fifth"""),
        listed("next saturday | the first of march | this afternoon | new year's eve | october twelfth"),
    ),
    "temperature": Slot(
        "temperature",
        (
            *(f"{value} degrees" for value in (16, 17, 18, 19, 20, 21, 22, 23, 65, 68, 70, 72, 74)),
            *(
                f"{value} degrees"
                for value in ("eighteen", "nineteen", "twenty", "twenty one", "twenty two", "seventy")
            ),
            *listed("19 | 21 | 23 | twenty | seventy two | 20 celsius | 68 fahrenheit"),
        ),
        listed("sixteen and a half degrees | 24 degrees | sixty nine | 66 fahrenheit"),
    ),
    "oven_temperature": Slot(
        "temperature",
        (
            *(f"{value} degrees" for value in (150, 160, 170, 180, 190, 200, 220, 230, 350, 375, 400, 425, 450)),
            *listed("one hundred eighty degrees | three fifty | four hundred | 180 | 200 | 220 celsius"),
        ),
        listed("175 degrees | two hundred ten degrees | four twenty five | 325 fahrenheit"),
    ),
    "level": Slot("number", (*_SMALL[:9], *(str(value) for value in range(1, 11)), "one"), ("zero", "11", "fifteen")),
    "percent": Slot(
        "number",
        (
            *(f"{value} percent" for value in (10, 15, 20, 25, 30, 40, 50, 60, 75, 80)),
            *(f"{value} percent" for value in _TENS),
            *listed("half | a quarter | five percent | ten percent"),
        ),
        listed("35 percent | a third | sixty five percent"),
    ),
    "artist": Slot(
        "artist",
        listed("""the velvet harbors | mara lindqvist | queen | miles davis | nina simone | daft punk |
        the paper kites | johnny cash | radiohead | adele | bob marley | coldplay | fleetwood mac | beethoven |
        stevie wonder | abba | the rolling foxes | juno vale | metallica | ella fitzgerald"""),
        listed("tina turner | the midnight tailors | chopin | led zeppelin | oscar quill | the beatles"),
    ),
    "song": Slot(
        "song",
        listed("""paper moon road | blue on sunday | the long way down | silver river | hotel in the rain | yesterday |
        hey jude | imagine | clocks | run to the sea | dancing queen | summer of dust | lights out | feeling good |
        sunday morning | stop the train | winter in june | rocket man"""),
        listed("purple rain | one more lantern | turn the page | the kitchen waltz | wake me slowly"),
    ),
    "genre": Slot(
        "genre",
        listed("""jazz | rock | classical | hip hop | country | blues | reggae | techno | folk | metal | pop | soul |
        ambient | eighties hits | lullabies | dance"""),
        listed("bossa nova | swing | punk | opera | bluegrass"),
    ),
    "colour": Slot(
        "colour",
        listed("""red | blue | green | purple | orange | pink | yellow | warm white | cool white | turquoise |
        lavender | soft amber | magenta | teal | ice blue | violet | peach | gold | candle light | coral |
        olive green"""),
        listed("crimson | salmon | lime green | daylight white | indigo"),
    ),
    "contact": Slot(
        "contact",
        listed("""mom | dad | sarah | my sister | uncle tom | grandma | doctor lee | anna | james | the office |
        my wife | peter miller | aunt rosa | my boss | daniel | nora | the babysitter | kevin from work | my husband |
        emily"""),
        listed("priya | the plumber | great aunt ida | marcus | my neighbor | doctor okafor | lucia | coach brown"),
    ),
    "item": Slot(
        "item",
        listed("""milk | eggs | bread | butter | two lemons | toilet paper | coffee | apples | olive oil | dog food |
        rice | a dozen eggs | paper towels | tomatoes | cheese | batteries | oat milk | light bulbs | chicken | onions |
        dish soap | bananas | five carrots | toothpaste | brown sugar | orange juice | a bag of potatoes | shampoo"""),
        listed(
            "peanut butter | spinach | sparkling water | razor blades | three avocados | flour | cat litter | honey"
        ),
    ),
    "channel": Slot(
        "channel",
        listed("""channel five | channel 7 | channel twelve | channel 24 | the news channel | the sports channel |
        the movie channel | bbc one | cnn | discovery | channel 3 | the kids channel | mtv | channel forty |
        the music channel | sky sports | channel 61 | animal planet"""),
        listed("eurosport | channel 118 | the weather channel | the history channel | national geographic"),
    ),
    "city": Slot(
        "city",
        listed("""paris | london | berlin | new york | tokyo | madrid | chicago | oslo | san francisco | rome |
        sydney | vienna | toronto | lisbon | boston | cape town | dublin | seattle"""),
        listed("helsinki | buenos aires | prague | denver | nairobi | kyoto"),
    ),
    "scene": Slot(
        "scene",
        listed("""movie night | good night | party | dinner | reading | romantic | good morning | relax | focus |
        away | game night | bedtime | holiday | sunset"""),
        listed("yoga | leaving home | cozy evening | breakfast | work from home"),
    ),
    "event": Slot(
        "event",
        listed("""dentist appointment | team meeting | lunch with anna | yoga class | parent evening | job interview |
        birthday party | haircut | dinner with the millers | car inspection | piano lesson | board meeting |
        date night"""),
        listed("eye exam | football practice | call with the bank | book club | vet visit"),
    ),
    "message": Slot(
        "message",
        listed("""i am running late | dinner is ready | see you at eight | i left the keys at home | happy birthday |
        call me back | we are out of milk | the meeting is moved | i am on my way | good luck today | the door is open |
        can you pick up the kids | turn off the oven | i will be home soon"""),
        listed("the train is delayed | thanks for the flowers | set your alarm | do not wait for me | play nice"),
    ),
}
