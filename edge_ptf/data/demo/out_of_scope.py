"""Utterances of the synthetic demo corpus that belong to no intent.

The format of phrasings is that of `grammar`. Domains with `unseen` phrasings occur in test only.
"""

from __future__ import annotations

from edge_ptf.data.demo.grammar import Phrasings
from edge_ptf.data.demo.slots import listed

OUT_OF_SCOPE_FILLERS: dict[str, tuple[str, ...]] = {
    "country": listed(
        "brazil | france | mongolia | peru | egypt | canada | japan | kenya | india | norway | chile | poland"
    ),
    "person": listed(
        "einstein | shakespeare | cleopatra | napoleon | marie curie | mozart | lincoln | picasso | darwin"
    ),
    "animal": listed(
        "an elephant | a cat | a blue whale | a penguin | a horse | an octopus | a bee | a giraffe | a wolf"
    ),
    "thing": listed(
        "a lamp | a thermostat | a robot vacuum | an oven | a ceiling fan | a door lock | a radio | a speaker"
    ),
    "dish": listed(
        "lasagna | pancakes | chicken curry | onion soup | banana bread | risotto | apple pie | sushi | tacos | goulash"
    ),
    "food": listed("rice | eggs | pasta | salmon | beans | potatoes | beef | quinoa | asparagus"),
    "team": listed(
        "the lakers | arsenal | the yankees | real madrid | the eagles | juventus | the bulls | the red sox"
    ),
    "sport": listed("tennis | football | cricket | golf | hockey | basketball | rugby | chess"),
    "account": listed("savings account | checking account | credit card | mortgage | joint account | business account"),
    "amount": listed(
        "fifty dollars | 200 euros | a thousand dollars | 75 pounds | twenty bucks | three hundred dollars"
    ),
    "place_far": listed(
        "iceland | bali | the alps | hawaii | morocco | florida | greece | thailand | patagonia | scotland"
    ),
    "symptom": listed(
        "a headache | a sore throat | back pain | a fever | a runny nose | a stiff neck | heartburn | a rash"
    ),
    "language": listed("spanish | german | italian | japanese | russian | swahili | portuguese | dutch"),
    "phrase": listed(
        "thank you | good night | where is the station | i am hungry | how much is it | turn left | the light"
    ),
    "topic": listed(
        "inflation | black holes | photosynthesis | gravity | the stock market | evolution | the tides | volcanoes"
    ),
    "product": listed(
        "my headphones | the blue jacket | my order | the garden chairs | my new phone | the running shoes"
    ),
    "code": listed(
        "a linked list | a python loop | a regular expression | a sorting function | an sql join | a unit test"
    ),
    "appliance": listed(
        "dishwasher | washing machine | garage opener | sprinkler | lawn mower | fireplace | hot tub | rice cooker"
    ),
    "number": listed("12 | forty | 17 | nine | 250 | sixty four | 8 | eleven hundred"),
}

OUT_OF_SCOPE: dict[str, Phrasings] = {
    "knowledge": Phrasings(
        listed("""what is the capital of {country} | how many people live in {country} | who was {person} |
        when was {person} born | how long does {animal} live | how much does {animal} weigh | explain {topic} (/to me) |
        why is {topic} important | what language do they speak in {country} | how did {person} die |
        what does {animal} eat | what is the flag of {country} | tell me (something/a fact) about {topic} |
        what time zone is {country} in""")
    ),
    "small_talk": Phrasings(
        listed("""how are you (today/doing/) | tell me a joke (/about {animal}) | what's your name |
        do you like {animal} | are you (a robot/human/real) | who made you | i'm (bored/sad/happy/tired) (today/) |
        what do you think about {topic} | sing me a song about {animal} | do you (sleep/dream/eat) |
        what is your favorite (color/movie/food) | you are (funny/stupid/great) | how old are you |
        have you met {person}""")
    ),
    "banking": Phrasings(
        listed("""what's the balance of my {account} | transfer {amount} to my {account} |
        how much do i owe on my {account} | pay {amount} on my {account} | open a new {account} | close my {account} |
        freeze my {account} | what's the interest rate on my {account} | did i spend {amount} (yesterday/last week) |
        send {amount} to my landlord | set a limit of {amount} on my {account} |
        why was {amount} taken from my {account}""")
    ),
    "cooking": Phrasings(
        listed("""how do i (make/cook) {dish} | what's a good recipe for {dish} | how long do i (boil/cook) {food} |
        how many calories are in {dish} | what goes well with {food} | can i freeze {dish} |
        what can i use instead of {food} | is {food} healthy | how do i store {food} |
        how much {food} do i need for {number} people | at what temperature do i cook {dish} |
        how long does {dish} take in the oven""")
    ),
    "sports": Phrasings(
        listed("""who won the {team} game | when do {team} play next | what's the score of {team} |
        how do you play {sport} | who is the best {sport} player | how long is a {sport} match |
        are {team} going to win | who is the coach of {team} | when was {sport} invented | where do {team} play |
        what are the rules of {sport} | buy tickets for {team}""")
    ),
    "about_appliances": Phrasings(
        listed("""how do i build {thing} | who invented {thing} | how much does {thing} cost | how does {thing} work |
        what is the best brand of {thing} | where can i buy {thing} | how do i draw {thing} |
        why is {thing} called that | what's inside {thing} | how many watts does {thing} use |
        is it safe to open {thing} | spell {thing}""")
    ),
    "unsupported_commands": Phrasings(
        listed("""start the {appliance} | turn on the {appliance} | is the {appliance} (running/done) |
        set the {appliance} to {number} | when will the {appliance} be finished | stop the {appliance} (/now) |
        schedule the {appliance} for later | water the (plants/lawn/flowers) | feed the (cat/dog/fish) |
        order a new {appliance} | print my (report/ticket/photos) | read my (email/book/messages) |
        take a (photo/note/selfie)""")
    ),
    "arithmetic": Phrasings(
        listed("""what is {number} times {number} | {number} plus {number} | divide {number} by {number} |
        what's {number} percent of {number} | what is the square root of {number} |
        convert {number} miles to kilometers | how many ounces are in {number} pounds | count to {number} |
        is {number} a prime number | pick a number between {number} and {number}""")
    ),
    "travel": Phrasings(
        (),
        listed("""book a flight to {place_far} | do i need a visa for {place_far} | find a hotel in {place_far} |
        how far is {place_far} | what should i pack for {place_far} | when is the best season to visit {place_far} |
        is {place_far} expensive | how long is the flight to {place_far} | rent a car in {place_far} |
        what is there to see in {place_far}"""),
    ),
    "health": Phrasings(
        (),
        listed("""what helps against {symptom} | i have {symptom} | is {symptom} contagious |
        how long does {symptom} last | should i see a doctor about {symptom} | what causes {symptom} |
        how much water should i drink a day | can children get {symptom}"""),
    ),
    "translation": Phrasings(
        (),
        listed("""how do you say {phrase} in {language} | translate {phrase} into {language} |
        what is {language} for {phrase} | is {language} hard to learn | teach me some {language} |
        how do i write {phrase} in {language}"""),
    ),
    "orders": Phrasings(
        (),
        listed("""where is {product} | return {product} | when will {product} arrive | i want a refund for {product} |
        {product} came broken | track {product} | change the size of {product} | cancel the order of {product}"""),
    ),
    "programming": Phrasings(
        (),
        listed("""write {code} | how do i debug {code} | explain {code} | what is wrong with {code} |
        why is {code} so slow | show me an example of {code}"""),
    ),
    "repairs": Phrasings(
        (),
        listed("""how do i repair {thing} | {thing} is broken what now | how do i clean {thing} |
        who can install {thing} | how do i recycle {thing} | does {thing} have a warranty | is {thing} worth fixing |
        which screws hold {thing}"""),
    ),
}
