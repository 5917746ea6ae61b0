#!/usr/bin/env python3
"""The rooms of the house: which headers include which, by folder.

    python3 scripts/rooms.py --check    every include, and every friend, is one that the table of
                                        docs/design.md allows, and the files form no circle
    python3 scripts/rooms.py --draw     the rooms and arrows as docs/design.md prints them

A room is a folder below include/scorematch with a line in that table; a file belongs to the deepest
one around it. The headers beside the rooms are doors: `data.hpp` includes data/ alone, and
`scorematch.hpp` the doors.
"""
import argparse
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include" / "scorematch"
DESIGN = ROOT / "docs" / "design.md"
UMBRELLA = "scorematch.hpp"


def allowed():
    """Room -> the rooms it may include, from the table whose head says "may include"."""
    rooms = {}
    lines = iter(DESIGN.read_text().splitlines())
    for line in lines:
        if re.match(r"\| *room *\|.*\| *may include *\|", line):
            break
    next(lines, None)
    for line in lines:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        rooms[cells[0].strip("`/ ")] = [name.strip("/") for name in re.findall(r"`([^`]+)`", cells[-1])]
    if not rooms:
        sys.exit(f"{DESIGN.name}: no table of rooms")
    return rooms


def room_of(header, rooms):
    around = [room for room in rooms if header.startswith(room + "/")]
    return max(around, key=len) if around else None


def headers():
    """Header -> its text, by the path below include/scorematch."""
    return {str(path.relative_to(INCLUDE)): path.read_text() for path in sorted(INCLUDE.rglob("*.hpp"))}


def includes(text):
    return re.findall(r"#include <scorematch/([^>]+)>", text)


def circle(graph):
    """A list of headers that include each other in turn, or none."""
    done, path = set(), []

    def visit(header):
        if header in path:
            return path[path.index(header):] + [header]
        if header in done:
            return None
        path.append(header)
        for other in graph[header]:
            found = visit(other)
            if found:
                return found
        done.add(path.pop())
        return None

    for header in graph:
        found = visit(header)
        if found:
            return found
    return None


def check():
    rooms = allowed()
    texts = headers()
    graph = {header: includes(text) for header, text in texts.items()}
    wrong = []
    for room, others in rooms.items():
        if not (INCLUDE / room).is_dir():
            wrong.append(f"{DESIGN.name}: there is no room {room}/")
        wrong += [f"{DESIGN.name}: {room}/ may include {other}/, which is no room"
                  for other in others if other not in rooms]
    home = {}  # class -> the room that defines it
    for header, text in texts.items():
        for name in re.findall(r"^(?:class|struct) (\w+)[^;()]*\{", text, re.MULTILINE):
            home[name] = room_of(header, rooms)
    for header, others in graph.items():
        room = room_of(header, rooms)
        for other in others:
            if other not in graph:
                wrong.append(f"{header} includes {other}, which there is not")
                continue
            target = room_of(other, rooms)
            if room is None and header != UMBRELLA:
                door = header.removesuffix(".hpp")
                if door not in rooms or not other.startswith(door + "/"):
                    wrong.append(f"{header} includes {other}: a door includes its own room alone")
            elif room is None:
                if target is not None:
                    wrong.append(f"{header} includes {other} and not its room's door")
            elif target is None:
                wrong.append(f"{header} includes the door {other}: name the headers that are used")
            elif target != room and target not in rooms[room]:
                wrong.append(f"{header} includes {other}: {room}/ may not include {target}/")
            elif target != room and "/detail/" in other:
                wrong.append(f"{header} includes {other}, a private part of {target}/")
        for name in re.findall(r"friend class (?:\w+::)*(\w+)", texts[header]):
            if home.get(name, room) != room:
                wrong.append(f"{header} befriends {name} of {home[name]}/")
    for room in rooms:
        door = INCLUDE / (room + ".hpp")
        if "/" not in room and not door.exists():
            wrong.append(f"there is no door {door.name}")
    found = circle(graph)
    if found:
        wrong.append("a circle: " + " -> ".join(found))
    print("\n".join(wrong) if wrong else f"{len(graph)} headers in {len(rooms)} rooms: all as allowed")
    return not wrong


def draw():
    """One line a room, in the order of the table: how many headers, and what it includes."""
    rooms = allowed()
    graph = {header: includes(text) for header, text in headers().items()}
    width = max(map(len, rooms)) + 1
    backward = 0
    order = list(rooms)
    for room in order:
        own = [header for header in graph if room_of(header, rooms) == room]
        arrows = {}
        for header in own:
            for other in graph[header]:
                target = room_of(other, rooms)
                if target not in (room, None):
                    arrows[target] = arrows.get(target, 0) + 1
        backward += sum(order.index(target) > order.index(room) for target in arrows)
        to = ", ".join(f"{target} {arrows[target]}" for target in order if target in arrows)
        line = f"{room + '/':<{width}} {len(own):>2} -> {to}".rstrip(" ->")
        print(textwrap.fill(line, 96, subsequent_indent=" " * (width + 7), break_on_hyphens=False))
    print(f"\n{backward} arrows point down the list")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--draw", action="store_true")
    options = parser.parse_args()
    if options.draw:
        draw()
    if options.check and not check():
        sys.exit(1)
