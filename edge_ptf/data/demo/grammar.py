"""The intents of the synthetic demo corpus and their phrasings.

A phrasing is plain text. In it, `{slot}` is replaced by a value of `SLOTS`, and `(a/b/)` by one of its alternatives
(the last may be empty). `|` separates phrasings. `unseen` phrasings occur in test only.
"""

from __future__ import annotations

from dataclasses import dataclass

from edge_ptf.data.demo.slots import listed


@dataclass(frozen=True, slots=True)
class Phrasings:
    """The phrasings of one intent (or of one out-of-scope domain)."""

    known: tuple[str, ...]
    unseen: tuple[str, ...] = ()


def _intent(known: str, unseen: str) -> Phrasings:
    return Phrasings(listed(known), listed(unseen))


INTENTS: dict[str, Phrasings] = {
    "lights_on": _intent(
        """turn on the (/{room}) lights | (turn/switch) the {room} (light/lights) on | lights on (/in the {room}) |
        switch on the (light/lights/lamp) in the {room} | put the {room} (light/lights) on |
        i need (some/more) light in the {room} | it's (too/so) dark in the {room} |
        turn on (all the/every) (light/lights) (/in the {room}) | (light/lights) in the {room} please |
        give me (some/a bit of) light in the {room} | can we have the {room} lights on |
        turn on the ceiling light in the {room} | make sure the {room} lights are on |
        let there be light in the {room} | brighten up the {room} | the {room} is pitch black do something |
        could someone get the {room} lights""",
        """i can't see (a thing/anything) in the {room} | illuminate the {room} | light up the {room} |
        get the {room} (lamp/lights) going | we're sitting in the dark in the {room} |
        bring the {room} lights up""",
    ),
    "lights_off": _intent(
        """turn off the (/{room}) lights | (turn/switch) the {room} (light/lights) off | lights off (/in the {room}) |
        switch off the (light/lights/lamp) in the {room} | put the {room} (light/lights) out |
        kill the lights in the {room} | no (light/lights) in the {room} |
        turn off (all the/every) (light/lights) (/in the {room}) | the {room} lights can go off |
        nobody is in the {room} turn the lights off | shut off the {room} (lamp/lights) |
        i don't need (the light/light) in the {room} | make sure the {room} lights are off |
        darkness in the {room} please | the {room} doesn't need to be lit |
        save some power in the {room} lights out | let the {room} lamps go to sleep""",
        """make the {room} (completely dark/dark) | i left the {room} (light/lights) burning | cut the {room} lights |
        lights out in the {room} | we're done in the {room} so no more light there |
        extinguish the (lamp/lights) in the {room}""",
    ),
    "lights_dim": _intent(
        """dim the {room} lights (/to {percent}) | set the {room} (light/lights) to {percent} |
        dim the lights to {percent} | lower the (light/lights/brightness) in the {room} |
        set (the/) brightness in the {room} to {percent} | turn the {room} lights down (/to {percent}) |
        make the {room} lights (less bright/darker) | brightness {percent} in the {room} |
        the {room} (light is/lights are) too bright | lights at {percent} in the {room} |
        reduce the {room} lights to {percent} | put the {room} lights on {percent} |
        bring the brightness down (/to {percent}) in the {room} | the {room} could be a bit gloomier |
        tone down the lamps in the {room} | my eyes hurt from the {room} lights ease off |
        only {percent} brightness for the {room}""",
        """soften the (light/lights) in the {room} | it's blinding in the {room} take it down |
        fade the {room} lamps to {percent} | i want only {percent} light in the {room} | a little darker in the {room} |
        take the {room} lights to {percent}""",
    ),
    "lights_color": _intent(
        """(make/turn) the {room} (light/lights) {colour} | set the {room} (light/lights) to {colour} |
        change the (light/lights) (color/colour) to {colour} | change the {room} lights to {colour} |
        {colour} (light/lights) in the {room} | i want {colour} (light/lights) in the {room} |
        switch the {room} lights to {colour} | set the color to {colour} | put the {room} lights on {colour} |
        make it {colour} in the {room} | give me {colour} light in the {room} |
        let's have {colour} lights in the {room} | turn on {colour} lights in the {room} |
        let the {room} shine in {colour} | give the {room} a {colour} glow |
        {colour} would look nice in the {room} | bathe the {room} in {colour}""",
        """paint the {room} {colour} with the lamps | could the {room} glow {colour} |
        i'm in the mood for {colour} in the {room} | go {colour} in the {room} | tint the {room} (lamp/lamps) {colour} |
        how about {colour} for the {room} lights""",
    ),
    "thermostat_set": _intent(
        """set the (thermostat/temperature/heating) to {temperature} |
        set the {room} (temperature/heating) to {temperature} | make it {temperature} in the {room} |
        turn the (heat/heating/thermostat) (up/down) to {temperature} | change the thermostat to {temperature} |
        heat the {room} to {temperature} | cool the {room} (down to/to) {temperature} |
        i want it {temperature} in the {room} | keep the {room} at {temperature} | put the heating on {temperature} |
        it's (too/so) (cold/hot) in the {room} | turn up the (heat/heating) in the {room} |
        thermostat to {temperature} (/in the {room}) | turn down the heating in the {room} |
        my feet are cold in the {room} | warm the {room} up to {temperature} |
        we're sweating in the {room} cool it off | get the {room} down to {temperature}""",
        """warm up the {room} a bit | i'm freezing in the {room} | bring the {room} to {temperature} |
        let the {room} get to {temperature} | could it be {temperature} in the {room} when i am back |
        it's stuffy in the {room} go down to {temperature}""",
    ),
    "set_timer": _intent(
        """set a timer for {duration} | set a {duration} timer | start a timer for {duration} | timer {duration} |
        start a {duration} timer | count down {duration} | set the timer to {duration} |
        (tell/remind) me in {duration} | give me a timer of {duration} | i need a {duration} timer |
        put {duration} on the (clock/timer) | time {duration} | new timer (for/of) {duration} |
        add a (second/new) timer for {duration} | call me when {duration} have passed | the pasta takes {duration} |
        alert me after {duration} | start counting {duration} now""",
        """let me know when {duration} are up | (beep/buzz/ping) me in {duration} | begin a countdown of {duration} |
        {duration} on the clock starting now | the eggs need {duration} keep track | measure {duration} for me""",
    ),
    "cancel_timer": _intent(
        """cancel (the/my) timer | stop (the/my) timer | cancel the {duration} timer |
        delete (the/my/that) (/{duration}) timer | turn off (the/my) (/{duration}) timer | remove the {duration} timer |
        i don't need the (/{duration}) timer (anymore/any more/now) | end the (/{duration}) timer |
        clear (all/my) timers | forget the (/{duration}) timer | kill the {duration} timer |
        cancel the timer (for/with) {duration} | stop the {duration} timer |
        get rid of (the/my) (/{duration}) timer | never mind the {duration} timer |
        we can do without the (/{duration}) countdown | stop timing the {duration}""",
        """scrap the timer (i set/for {duration}) | no need to count down (the {duration}/anymore) |
        drop the {duration} countdown | abort (the/my) (/{duration}) timer | the {duration} timer was a mistake |
        stop counting (the {duration}/those {duration})""",
    ),
    "query_timer": _intent(
        """how (much time/long) is left on (the/my) (/{duration}) timer | how (much time/long) is left |
        check (the/my) (/{duration}) timer | how long until (the/my) (/{duration}) timer (is done/goes off/ends) |
        what's left on (the/my) (/{duration}) timer | show (my/all) timers |
        is (the/my) (/{duration}) timer (done/still running/finished) |
        when does (the/my) (/{duration}) timer (end/go off/ring) | timer status |
        how many minutes are left on (the/my/the {duration}) timer | time left on the (/{duration}) timer |
        do i have (a/any/a {duration}) timer running |
        tell me (the/how much) time left on my (/{duration}) timer | is it {duration} yet |
        where are we with the (/{duration}) timer | how close is (the/my) (/{duration}) timer to the end |
        any time remaining on the (/{duration}) countdown""",
        """how far along is the {duration} timer | when will the {duration} be (over/up) |
        how is (my/the) (/{duration}) countdown doing | how much longer (/on the {duration} one) |
        are we there yet with the {duration} timer | what does the (/{duration}) timer say""",
    ),
    "set_alarm": _intent(
        """set an alarm for {time} (/{date}) | wake me (up/) at {time} (/{date}) | set (my/the) alarm to {time} |
        alarm (at/for) {time} (/{date}) | i need an alarm at {time} (/on {date}) | new alarm {time} {date} |
        wake me (up/) in {duration} | put an alarm on for {time} (/{date}) |
        i have to (get up/be up) at {time} (/{date}) | add an alarm for {time} {date} | set the alarm clock for {time} |
        make an alarm for {date} at {time} | set a wake up alarm for {time} |
        i can't oversleep {date} so {time} please | make sure i am up by {time} (/{date}) |
        get me up at {time} (/{date}) | my day starts at {time} {date} wake me""",
        """get me out of bed (at/by) {time} | don't let me sleep past {time} (/{date}) |
        i should be awake by {time} {date} | ring me awake at {time} | have the alarm go off at {time} (/{date}) |
        i want to sleep until {time}""",
    ),
    "play_music": _intent(
        """play (some/) {genre} (/music) | play {song} (/by {artist}) | play {artist} | put on (some/) {genre} |
        play something by {artist} | i want to (hear/listen to) {artist} | play my {genre} playlist (/in the {room}) |
        play the song {song} | start some {genre} music | put on {song} (/by {artist}) | listen to {song} |
        play the (latest/new) album (by/from) {artist} | play {genre} in the {room} | can we hear {song} |
        shuffle songs by {artist} | play the radio in the {room} | let me hear some {genre} |
        give us {artist} in the {room} | could do with some {genre} right now | bring on {song} |
        i feel like {artist} today""",
        """i'm in the mood for {genre} | let's have some {artist} | how about (a bit of/some) {genre} |
        throw on {artist} in the {room} | fill the {room} with {genre} | stream {song} | my ears want {artist}""",
    ),
    "volume_up": _intent(
        """turn (it/the volume/the sound/the music) up (/a bit/a little/a lot) |
        turn up the (volume/sound/music/tv/radio) (/in the {room}) | (volume/sound) up (/in the {room}) |
        louder (/in the {room}) | make it louder (/in the {room}) | increase the (volume/sound) (/in the {room}) |
        raise the (volume/sound) (/in the {room}) | i can't hear (it/the music/the tv/the radio) (/in the {room}) |
        it's too quiet (/in the {room}) | make the (music/tv/radio/sound) louder (/in the {room}) |
        more volume (/in the {room}) | can we have it (a bit/a little) louder (/in the {room}) |
        the (music/tv/radio) is too (quiet/low) (/in the {room}) | push the (sound/music) up (/in the {room}) |
        i can barely hear (this/the song/the tv) (/in the {room}) | blast it (/in the {room}) |
        a notch higher on the (sound/volume) (/in the {room})""",
        """crank (it/up the music/up the tv/up the sound) (/in the {room}) |
        pump up the (volume/music) (/in the {room}) | boost the (audio/sound) (/in the {room}) |
        speak up (/a little/i'm in the {room}) | bring the (audio/music) up (/in the {room}) |
        i want to hear (it/this) in the {room} from the garden""",
    ),
    "volume_set": _intent(
        """set the (volume/sound) to {level} | volume {level} (/in the {room}) | set the volume (at/to) {percent} |
        turn the (volume/music/tv) (up/down) to {level} | change the volume to {level} (/in the {room}) |
        put the volume (on/at) {level} | make the volume {percent} (/in the {room}) |
        volume (at/to) {percent} (/in the {room}) | set the {room} speaker to {percent} |
        lower the (volume/sound) to {level} | raise the (volume/sound) to {level} (/in the {room}) |
        sound level {level} | set the (tv/radio/music) to volume {level} | i want the volume at {level} |
        {percent} volume is (fine/plenty) (/in the {room}) | get the sound to {level} (/in the {room}) |
        have the (music/tv) play at {percent} (/in the {room}) | leave the volume at {level}""",
        """(bring/take) the (music/sound) to {percent} (/in the {room}) | loudness {level} (/in the {room}) |
        adjust the audio to {level} | keep the (music/radio) at {percent} (/in the {room}) |
        let's go with {level} for the (volume/sound) | {level} is enough for the (volume/sound)""",
    ),
    "move_blinds": _intent(
        """(open/close) the (blinds/curtains/shades) (/in the {room}) |
        (open/close) the {room} (blinds/curtains/shutters) | (raise/lower) the (blinds/shades) in the {room} |
        pull (up/down) the {room} blinds | blinds (up/down) in the {room} | set the {room} blinds to {percent} |
        move the {room} blinds to {percent} | (shut/open) the {room} shutters | draw the curtains in the {room} |
        put the {room} (blinds/shades) (up/down) | open the {room} blinds {percent} |
        the {room} curtains should be (open/closed) | roll (up/down) the {room} shutters |
        get some daylight into the {room} | the light through the {room} window is too strong |
        nobody should look into the {room} | block the sun in the {room} | have the {room} shades at {percent}""",
        """let (some/the) sun into the {room} | the sun is blinding me in the {room} |
        i want to look out of the {room} window | the neighbors can see into the {room} | cover the {room} windows |
        tilt the {room} slats to {percent}""",
    ),
    "lock_door": _intent(
        """lock the (front door/back door/door/garage door/side door) |
        lock (up/all the doors/every door) (/tonight/now) | (please/make sure you) lock the {room} door |
        lock the door (to/of) the {room} | is the {room} door (locked/closed) |
        is the (front door/back door/door) locked | check (that/if) the (front door/back door/{room} door) is locked |
        bolt the (front door/back door/{room} door) | secure the (front door/back door/{room} door) |
        door lock on in the {room} | i forgot to lock the (front door/back door/{room} door) |
        keep the {room} door locked | lock the {room} | make the {room} door safe for the night |
        nobody comes in by the (front door/back door/{room} door) |
        see that the (front door/back door/{room} door) is shut tight |
        did anyone leave the (front door/back door) open""",
        """did i leave the {room} door unlocked | nobody should get in through the {room} door |
        put the latch on the {room} door | i'm leaving so lock everything (/behind me/including the {room}) |
        deadbolt the (front door/back door/{room} door) | turn the key in the {room} door""",
    ),
    "start_vacuum": _intent(
        """start the (vacuum/robot/vacuum cleaner) (/in the {room}) | vacuum the {room} (/now/again) |
        clean the {room} (floor/carpet) | send the (robot/vacuum) to the {room} |
        run the (vacuum/robot vacuum) in the {room} | have the robot clean the {room} |
        turn on the (vacuum/robot vacuum) (/in the {room}) | let the vacuum clean the {room} |
        vacuum the {room} (at {time}/{date}) | start cleaning (the {room}/the floor/the house) | hoover the {room} |
        the {room} needs vacuuming | begin vacuuming (the {room}/upstairs) | someone spilled cereal in the {room} |
        the {room} is covered in dog hair | time to get the {room} floor clean | suck up the dirt in the {room}""",
        """there are crumbs (all over/in) the {room} | the {room} floor is (filthy/dirty/dusty) | sweep the {room} |
        get the dust out of the {room} | the cat made a mess in the {room} |
        put the robot to work in the {room}""",
    ),
    "query_weather": _intent(
        """what's the weather (like/) in {city} (/{date}) | how's the weather (/in {city}) {date} |
        weather in {city} (/{date}) | will it (rain/snow) {date} (/in {city}) |
        is it going to (rain/snow) in {city} {date} | what's the forecast for {city} (/{date}) |
        what's the temperature in {city} | how (cold/warm/hot) is it in {city} | do i need (an umbrella/a coat) {date} |
        will it be (sunny/windy/cold) in {city} {date} | tell me the weather for {date} |
        weather forecast {date} (/in {city}) | how (cold/warm) will it be {date} | is it raining in {city} |
        do we need to dress warm {date} | what are the chances of (snow/storms) in {city} {date} |
        is it a good day for a walk {date} | how does it look outside in {city} (/{date})""",
        """should i (bring/wear) a (jacket/raincoat) {date} | what should i expect outside {date} (/in {city}) |
        any chance of (rain/showers) {date} | is {city} (sunny/stormy/foggy) {date} |
        can i (hang the laundry/have a barbecue) outside {date} | what is the sky doing over {city}""",
    ),
    "add_event": _intent(
        """add (a/the) {event} to my calendar (for/on) {date} |
        put {event} (on my/in the) calendar for {date} (/at {time}) | schedule (a/the) {event} for {date} at {time} |
        create an event called {event} {date} | new appointment {event} {date} at {time} |
        remind me of the {event} {date} (/at {time}) | i have a {event} {date} at {time} |
        add {event} {date} at {time} | make a calendar entry for {event} {date} | book {event} for {date} at {time} |
        set up a {event} on {date} | plan (a/the) {event} for {date} | save the date for {event} {date} |
        i'm going to the {event} {date} | {date} at {time} is the {event} | note down the {event} for {date} |
        reserve {date} for the {event} | write {event} in my diary for {date}""",
        """block {time} {date} for the {event} | don't let me forget the {event} {date} | pencil in the {event} {date} |
        keep {date} free for the {event} | {event} is happening {date} at {time} note it |
        mark {date} as {event}""",
    ),
    "add_to_shopping_list": _intent(
        """add {item} to (the/my) (shopping/grocery) list | put {item} on the (/shopping) list | we need {item} |
        buy {item} | add {item} and {item} to the list | i need to buy {item} | {item} on the shopping list |
        we are out of {item} | remind me to buy {item} | shopping list {item} | also add {item} |
        (get/order) {item} next time we shop | include {item} in the groceries | we're low on {item} |
        the {item} is gone | write down {item} for the supermarket | we could use (some/more) {item} |
        don't let me forget the {item} at the store""",
        """we ran out of {item} | the fridge has no more {item} | jot down {item} for the store |
        i used the last of the {item} | there's no {item} left (/and no {item}) | stick {item} on the list""",
    ),
    "call_contact": _intent(
        """call {contact} (/now/on speaker) | phone {contact} | make a call to {contact} | dial {contact} |
        ring {contact} | give {contact} a call | i (want/need) to (call/talk to/speak to) {contact} |
        start a (video call/call) with {contact} | call {contact} on (the mobile/video) |
        can i (talk/speak) to {contact} | call back {contact} | try {contact} again |
        place a call to {contact} | let me speak with {contact} | reach {contact} for me |
        i'd like {contact} on the phone | see if {contact} (picks up/is there)""",
        """get {contact} on the (phone/line) | connect me (to/with) {contact} | put me through to {contact} |
        i have to have a word with {contact} | give {contact} a (ring/buzz) |
        let me hear {contact} on the phone""",
    ),
    "send_message": _intent(
        """send a (message/text) to {contact} saying {message} | text {contact} {message} |
        tell {contact} (that/) {message} | message {contact} {message} | send {contact} a (text/message) |
        write to {contact} {message} | text {contact} that {message} | send {message} to {contact} |
        let {contact} know (that/) {message} | (new/write a) message (for/to) {contact} {message} |
        answer {contact} with {message} | reply to {contact} {message} | send a message to {contact} |
        leave {contact} a note {message} | let {contact} read {message} | give {contact} the message {message} |
        {contact} has to hear that {message}""",
        """drop {contact} a line saying {message} | shoot {contact} a (note/text) |
        pass on to {contact} that {message} | inform {contact} that {message} | say to {contact} {message} |
        {contact} should know {message}""",
    ),
    "tv_channel": _intent(
        """(change/switch/turn) to {channel} | put on {channel} | switch the tv to {channel} |
        turn the tv to {channel} | show {channel} | change the channel to {channel} | i want to watch {channel} |
        (watch/go to) {channel} | tv {channel} | put {channel} on the (/{room}) tv | turn on {channel} in the {room} |
        let me see {channel} | tune to {channel} | (next/previous) channel on the {room} tv |
        let's see what {channel} has | skip to {channel} | get {channel} on the screen |
        there's a show on {channel} i like""",
        """what's on {channel} let's look | flip (over/) to {channel} | is there anything good on {channel} put it on |
        zap to {channel} | jump to {channel} (/in the {room}) | have {channel} running in the {room}""",
    ),
    "show_camera": _intent(
        """show (me/) the {place} camera | show me the camera (at/in) the {place} | open the {place} camera |
        who is at the {place} | let me see the {place} (/camera) | what's happening (at/in) the {place} |
        {place} camera (/on the tv) | display the {place} cam | show the {place} on the (/{room}) screen |
        is (someone/anyone/anybody) at the {place} | view the {place} (camera/video/feed) | turn on the {place} camera |
        bring up the (video/camera) of the {place} | somebody rang at the {place} who is it |
        let's have a look at the {place} | is everything quiet at the {place} |
        check the {place} for me (/on the camera)""",
        """pull up the {place} (cam/footage) | i heard (something/a noise) at the {place} let me look |
        give me eyes on the {place} | what does the {place} look like right now |
        did a package come to the {place} show me | i want to check on the {place}""",
    ),
    "set_oven": _intent(
        """set the oven to {oven_temperature} | preheat the oven (to/at) {oven_temperature} |
        heat the oven to {oven_temperature} | turn the oven (on/up/down) to {oven_temperature} |
        oven at {oven_temperature} (/for {duration}) | turn on the oven at {oven_temperature} |
        change the oven temperature to {oven_temperature} | bake at {oven_temperature} for {duration} |
        oven {oven_temperature} | put the oven on {oven_temperature} | i need the oven at {oven_temperature} |
        turn (on/off) the oven (in/after) {duration} | oven on for {duration} at {oven_temperature} |
        make the oven {oven_temperature} hot | i want to bake bread at {oven_temperature} |
        the roast goes in at {oven_temperature} for {duration} | have the oven hot at {oven_temperature} by {time}""",
        """get the oven ready for a pizza at {oven_temperature} | warm the oven (up/) to {oven_temperature} |
        the cake needs {oven_temperature} for {duration} | roast it (at/on) {oven_temperature} |
        i'm baking so {oven_temperature} please | crank the oven to {oven_temperature}""",
    ),
    "set_fan": _intent(
        """turn on the fan (/in the {room}) | set the (/{room}) fan to (/speed) {level} | turn the {room} fan (on/off) |
        fan speed {level} (/in the {room}) | turn (up/down) the {room} fan | put the {room} fan on {level} |
        set the fan speed (in the {room}/) to {level} | fan (on/off) in the {room} |
        start the ceiling fan in the {room} | make the {room} fan (faster/slower) | switch the {room} fan to {level} |
        stop the fan in the {room} | run the {room} fan for {duration} |
        set the fan to {percent} in the {room} | blow some air through the {room} |
        the air is stale in the {room} start the fan | cool me with the fan in the {room} |
        the {room} fan can go (slower/faster) at {level}""",
        """get some air moving in the {room} | i need a breeze in the {room} |
        spin the {room} fan (up/down) (/to {level}) | the {room} fan is (too loud/blowing too hard) |
        let the fan go at {percent} in the {room} | keep the air going in the {room} at {level}""",
    ),
    "switch_plug": _intent(
        """(turn/switch) (on/off) the {device} | (turn/switch) the {device} (on/off) | {device} (on/off) |
        power (on/off) the {device} | turn (on/off) the {device} plug | switch (on/off) the plug (of/for) the {device} |
        turn (on/off) the plug in the {room} | start the {device} | cut the power to the {device} |
        turn (on/off) the {device} in the {room} | give the {device} power | shut off the {device} |
        turn off the {device} (at {time}/in {duration}) | get the {device} going |
        the {device} should be (on/off) by now | nobody uses the {device} switch it off |
        did somebody forget the {device} turn it off | bring the {device} to life""",
        """unplug the {device} | i left the {device} running | wake up the {device} | energize the {device} |
        is the {device} still on then kill it | the {device} (can/should) (go off/come on) now""",
    ),
    "activate_scene": _intent(
        """activate (the/) {scene} (scene/mode) | set the {scene} scene (/in the {room}) |
        start {scene} mode (/in the {room}) | turn on {scene} mode | {scene} (scene/mode) (/in the {room}) |
        switch to {scene} mode | run the {scene} (scene/routine) | put the {room} in {scene} mode |
        i want the {scene} scene (/in the {room}) | enable {scene} mode (/in the {room}) | it's time for {scene} |
        set the mood for {scene} | start my {scene} routine | make the house ready for {scene} |
        time for some {scene} (/in the {room}) | we want {scene} in the {room} | how about a little {scene}""",
        """get the {room} ready for {scene} | let's do {scene} (/in the {room}) | prepare the house for {scene} |
        make it feel like {scene} in the {room} | we're about to start {scene} |
        do the {scene} thing (/in the {room})""",
    ),
    "battery_status": _intent(
        """how much battery (is left/do you have) (/in the {device}) | battery (status/level) (/of the {device}) |
        what's the battery level (/of the {device}) | check the battery (/of the {device}) |
        is the battery (low/full/charged) (/on the {device}) | how long will the (/{device}) battery last |
        how full is the (/{device}) battery | does the {device} need charging |
        tell me the battery (level/status) (/of the {device}) | is the (vacuum/camera/{device}) charged |
        battery of the (door lock/camera/vacuum/{device}) | show the battery (level/) of the (remote/{device}) |
        is the (remote/doorbell/{device}) battery (empty/low) | will the {device} make it through the day |
        is there enough power in the (remote/lock/{device}) | how is the {device} doing on power |
        does the (camera/remote/{device}) want to be charged""",
        """how much (juice/charge) is left (/in the {device}) | do i have to charge the (vacuum/camera/{device}) |
        is the (lock/{device}) (about to die/running low) | how many percent has the {device} got |
        when should i plug in the {device} | is the {device} out of power""",
    ),
    "stop": _intent(
        """stop (/it/that/this/now/everything/talking/playing) | cancel (/that/it/this/the last command/everything) |
        never mind (/that/then) | forget (it/that/about it/what i said) |
        stop (the music/the song/the radio/the playback) (/in the {room}) |
        pause (/it/the music/the song/the movie) (/in the {room}) | be quiet (/now/in the {room}) |
        (quiet/silence/enough) (/now/in the {room}) | undo (that/it/the last one) |
        that's enough (/now/of that/for today) | i (changed my mind/don't want that/didn't mean that) |
        stop what you're doing (/in the {room}) | stop playing (/music/{artist}/{genre}/{song}) |
        turn (it/the music/the radio) off (/in the {room}) | shut up (/now/in the {room}) |
        please (stop/quit) (it/this/doing that) | hold it (right there/for now) | not (now/that/this) (/please) |
        enough with the (noise/music/talking) (/in the {room}) | you can stop (/the {genre}) now""",
        """(abort/quit/halt) (/this/that/right now/everything) | hold on (/a second/a moment/don't do that) |
        (leave/scratch/drop) (it/that) | (hush/shush) (/now/for a while/in the {room}) |
        no more (music/talking/{genre}/{artist}) (/in the {room}) | don't do (that/it/anything) (/after all/now) |
        i've heard enough (/of it/of this/{artist}/{genre})""",
    ),
}
