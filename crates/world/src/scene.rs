//! The scene of a moment: where the camera is, how light it is, and the shapes to draw, all read from the tracks.

use crate::home::{CEILING, DOOR_HEIGHT, Door, RoomId};
use crate::life::index;
use crate::math::{Pose, TAU, Vec3, ease, sin_cos, v, wave};
use crate::render::{Blob, Camera, Instance, Lamp, Light, Stage, View};
use crate::shape::{FOREARM_LENGTH, Mesh, person};
use crate::things::{FixtureKind, Kind, Side, ThingId};
use crate::timeline::{Anchor, DAY_S, Footing, Gaze, Place};
use crate::world::{World, library};

/// Height of the eyes of one who stands upright.
const EYES: f32 = 1.6;
/// Metres of one step.
const STEP: f32 = 0.68;
/// Seconds that the eyes, the back and a thing that changes hands take to follow.
const GAZE_S: f32 = 0.5;
const BEND_S: f32 = 0.7;
const GRASP_S: f32 = 0.25;

/// A body in the world: the wearer's head and hands at one moment.
pub(crate) struct Wearer {
    pub camera: Camera,
    /// Eyes level and straight on: x ahead, y left, z up.
    body: Pose,
}

impl World {
    /// The wearer at an absolute time.
    pub(crate) fn wearer(&self, t: f64, field_of_view: f32) -> Wearer {
        let footing = self.tracks.wearer.footing(t);
        let bend = self.bend(t);
        let (s, c) = sin_cos(footing.yaw);
        let ahead = 0.24 * bend;
        let step = footing.walked.map_or(0.0, |metres| metres / STEP * TAU);
        let bob = 0.016 * footing.pace * sin_cos(step).0;
        let lean = 0.014 * footing.pace * sin_cos(step / 2.0).0;
        let at = v(
            footing.at[0] + c * ahead - s * lean,
            footing.at[1] + s * ahead + c * lean,
            EYES - 0.5 * bend + bob + 0.004 * wave(t, 4.1, 0.3),
        );
        let (turn, pitch) = self.gaze(t, at, footing.yaw);
        let camera = Camera {
            at,
            yaw: crate::math::wrap(
                footing.yaw + turn + 0.012 * wave(t, 5.3, 1.0) + 0.007 * wave(t, 2.3, 0.0),
            ),
            pitch: pitch + 0.009 * wave(t, 3.7, 2.0) + 0.006 * footing.pace * sin_cos(step + 1.0).0,
            roll: 0.01 * wave(t, 6.1, 0.7) + 0.008 * footing.pace * sin_cos(step / 2.0).0,
            field_of_view,
        };
        Wearer { camera, body: Pose::upright(at, footing.yaw) }
    }

    fn bend(&self, t: f64) -> f32 {
        let (now, since, before) = self.tracks.bend.around(t);
        before + (now - before) * ease((t - since) as f32 / BEND_S)
    }

    /// Turn of the head against the body, and pitch.
    fn gaze(&self, t: f64, eyes: Vec3, yaw: f32) -> (f32, f32) {
        let angles = |gaze: &Gaze| match gaze {
            Gaze::Ahead(pitch) => (0.0, *pitch),
            Gaze::Wander(by) => (by * wave(t, 7.0, 0.0), -0.16),
            Gaze::Point(p) => {
                let d = *p - eyes;
                let level = (d.x * d.x + d.y * d.y).sqrt();
                let turn = crate::math::wrap(crate::math::atan2(d.y, d.x) - yaw);
                (turn.clamp(-1.1, 1.1), crate::math::atan2(d.z, level).clamp(-1.05, 0.6))
            }
        };
        let (now, since, before) = self.tracks.gaze.around(t);
        let (a, b) = (angles(before), angles(now));
        let k = ease((t - since) as f32 / GAZE_S);
        (a.0 + (b.0 - a.0) * k, a.1 + (b.1 - a.1) * k)
    }

    /// The wrist of a hand, and whether the fingers are closed.
    fn wrist(&self, wearer: &Wearer, side: Side, t: f64) -> (Vec3, bool, bool) {
        let (now, since, before) = self.tracks.hands[index(side)].around(t);
        let place = |anchor: Anchor| match (anchor, anchor.local(side)) {
            (Anchor::At(p), _) => p,
            (_, Some(local)) => wearer.body.apply(local),
            _ => wearer.body.at,
        };
        let k = ease((t - since) as f32 / now.seconds.max(0.01));
        let hidden = now.to == Anchor::Down && (k >= 1.0 || before.to == Anchor::Down);
        (place(before.to).lerp(place(now.to), k), now.grip, hidden)
    }

    /// Pose of a hand: wrist at the origin, fingers along y, back of the hand along z.
    fn hand_pose(&self, wearer: &Wearer, side: Side, t: f64) -> (Pose, bool, bool) {
        let (wrist, grip, hidden) = self.wrist(wearer, side, t);
        let across = if side == Side::Left { 1.0 } else { -1.0 };
        // Bent over, the arms come from behind the eyes.
        let bend = self.bend(t);
        let elbow = wearer.body.apply(v(0.02 - 0.4 * bend, across * 0.27, -0.5 + 0.2 * bend));
        let y = (wrist - elbow).unit();
        let outward = wearer.body.rotate(v(0.0, across, 0.0));
        let back = if grip { outward * 0.9 + v(0.0, 0.0, 0.45) } else { outward * 0.25 + v(0.0, 0.0, 1.0) };
        let x = y.cross(back).unit();
        (Pose { x, y, z: x.cross(y), at: wrist }, grip, hidden)
    }

    /// Pose of an object at a time.
    pub(crate) fn object_pose(&self, wearer: &Wearer, object: ThingId, t: f64) -> Pose {
        let (now, since, before) = self.tracks.places[usize::from(object.0 - self.first_object)].around(t);
        let there = self.placed(wearer, object, now, t);
        let k = ease((t - since) as f32 / GRASP_S);
        if k >= 1.0 || now == before {
            return there;
        }
        let here = self.placed(wearer, object, before, t);
        Pose { at: here.at.lerp(there.at, k), ..there }
    }

    fn placed(&self, wearer: &Wearer, object: ThingId, place: &Place, t: f64) -> Pose {
        let [w, d, h] = self.things[usize::from(object.0)].size;
        match place {
            Place::Resting(slot) => {
                let slot = &self.home.slots[*slot];
                Pose::upright(slot.at, slot.yaw)
            }
            Place::Held(side) => {
                let (hand, _, _) = self.hand_pose(wearer, *side, t);
                let centre = hand.at + hand.y * 0.09 - hand.z * (0.03 + w.min(d) * 0.3);
                let x = wearer.body.x;
                let yaw = crate::math::atan2(x.y, x.x) - crate::math::PI / 2.0;
                Pose::upright(centre - v(0.0, 0.0, h * 0.5), yaw)
            }
            Place::With(person) => {
                let footing = self.person_footing(*person, t);
                let body = person_pose(&footing);
                let at = body.apply(v(0.18, 0.42, 1.12 - h * 0.5));
                Pose { at, ..body }
            }
        }
    }

    /// Draws the scene of an absolute time through `draw`, which borrows shapes made for this moment; from the
    /// wearer's eyes, or, without hands, from another camera.
    pub(crate) fn staged<R>(
        &self,
        t: f64,
        wearer: &Wearer,
        other: Option<&Camera>,
        draw: impl FnOnce(&Stage<'_>) -> R,
    ) -> R {
        let view = other.unwrap_or(&wearer.camera).view();
        let rooms = self.rooms_in_view(&view);
        let people = self.person_shapes(t, &rooms);
        let mut stage =
            Stage { lights: self.lights(t), instances: Vec::with_capacity(160), blobs: Vec::new(), view };
        self.add_fixtures(&mut stage, t, &rooms);
        self.add_objects(&mut stage, wearer, t, &rooms);
        for (id, mesh, footing) in &people {
            let looks = self.looks[usize::from(id.0 - self.first_person)];
            let light = usize::from(self.home.room_at(footing.at));
            let pose = person_pose(footing);
            stage.blobs.push(blob(v(footing.at[0], footing.at[1], 0.0), [0.34, 0.3], &pose, 0.5));
            stage.instances.push(Instance {
                mesh,
                pose,
                own: looks.shirt,
                second: looks.skin,
                id: *id,
                light,
            });
        }
        if other.is_none() {
            self.add_hands(&mut stage, wearer, t);
        }
        draw(&stage)
    }

    fn add_fixtures<'a>(&'a self, stage: &mut Stage<'a>, t: f64, rooms: &[bool]) {
        let sky = sky((t / DAY_S).fract() as f32 * 24.0);
        for (room, mesh) in self.shells.iter().enumerate().filter(|(room, _)| rooms[*room]) {
            let pose = Pose::IDENTITY;
            let id = ThingId::BUILDING;
            stage.instances.push(Instance { mesh, pose, own: [200; 3], second: [200; 3], id, light: room });
        }
        for fixture in &self.home.fixtures {
            let light = usize::from(fixture.room);
            let doorway = self.home.doors.iter().find(|door| door.id == fixture.id);
            if !rooms[light] && !doorway.is_some_and(|d| d.rooms.iter().any(|r| rooms[usize::from(*r)])) {
                continue;
            }
            let on = *self.tracks.states[usize::from(fixture.id.0)].at(t);
            let own = self.things[usize::from(fixture.id.0)].colour.map_or([225; 3], |colour| colour.rgb());
            let mesh = match fixture.letter() {
                Some(letter) => {
                    library().picture(letter, own.iter().map(|&c| u32::from(c)).sum::<u32>() < 330)
                }
                None => library().fixture(fixture.kind, on),
            };
            let pose = Pose::upright(fixture.at, fixture.yaw);
            if fixture.at.z == 0.0 && mesh.high.z > 0.3 && doorway.is_none() {
                let size = fixture.kind.facts().size;
                stage.blobs.push(blob(fixture.at, [size[0] * 0.72, size[1] * 0.78], &pose, 0.45));
            }
            stage.instances.push(Instance { mesh, pose, own, second: sky, id: fixture.id, light });
        }
    }

    fn add_objects<'a>(&'a self, stage: &mut Stage<'a>, wearer: &Wearer, t: f64, rooms: &[bool]) {
        for object in self.objects() {
            let Kind::Object(kind) = object.kind else { continue };
            let pose = self.object_pose(wearer, object.id, t);
            let room = self.home.room_at([pose.at.x, pose.at.y]);
            if !rooms[usize::from(room)] {
                continue;
            }
            let on = *self.tracks.states[usize::from(object.id.0)].at(t);
            let mesh = library().object(kind, on);
            let own = object.colour.map_or([200; 3], |colour| colour.rgb());
            let place = self.tracks.places[usize::from(object.id.0 - self.first_object)].at(t);
            if matches!(place, Place::Resting(_)) {
                let radius = [0, 1].map(|i| object.size[i] * 0.5 + 0.05);
                stage.blobs.push(blob(pose.at, radius, &pose, 0.5));
            }
            let light = usize::from(room);
            stage.instances.push(Instance { mesh, pose, own, second: own, id: object.id, light });
        }
    }

    fn add_hands<'a>(&'a self, stage: &mut Stage<'a>, wearer: &Wearer, t: f64) {
        let looks = self.looks[self.looks.len() - 1];
        let light = usize::from(self.home.room_at([wearer.body.at.x, wearer.body.at.y]));
        for side in [Side::Left, Side::Right] {
            let (pose, grip, hidden) = self.hand_pose(wearer, side, t);
            if hidden {
                continue;
            }
            let id = side.hand();
            let arm = Pose::along(pose.at - pose.y * FOREARM_LENGTH, pose.y);
            let mesh = &library().hands[index(side)][usize::from(grip)];
            let (own, second) = (looks.shirt, looks.skin);
            stage.instances.push(Instance { mesh, pose, own, second, id, light });
            let id = side.arm();
            stage.instances.push(Instance { mesh: &library().forearm, pose: arm, own, second, id, light });
        }
    }

    fn person_shapes(&self, t: f64, rooms: &[bool]) -> Vec<(ThingId, Mesh, Footing)> {
        self.people()
            .iter()
            .map(|thing| (thing.id, self.person_footing(thing.id, t)))
            .filter(|(_, footing)| rooms[usize::from(self.home.room_at(footing.at))])
            .map(|(id, footing)| {
                let looks = self.looks[usize::from(id.0 - self.first_person)];
                let stride = footing.walked.map(|metres| metres / (2.0 * STEP) * TAU);
                let holding = self.tracks.places.iter().any(|place| *place.at(t) == Place::With(id));
                (id, person(looks.hair, looks.trousers, stride, holding), footing)
            })
            .collect()
    }

    /// Rooms that the camera may see: its own, and through every doorway before it the next.
    fn rooms_in_view(&self, view: &View) -> Vec<bool> {
        let here = self.home.room_at([view.at.x, view.at.y]);
        let mut seen = vec![false; self.home.rooms.len()];
        let mut queue: Vec<RoomId> = vec![here];
        seen[usize::from(here)] = true;
        while let Some(room) = queue.pop() {
            for door in self.home.doors.iter().filter(|door| door.rooms.contains(&room)) {
                let other = if door.rooms[0] == room { door.rooms[1] } else { door.rooms[0] };
                if !seen[usize::from(other)] && door_in_view(view, door) {
                    seen[usize::from(other)] = true;
                    queue.push(other);
                }
            }
        }
        seen
    }

    /// The light of every room: day through the windows, lamps after dark and where switched on.
    fn lights(&self, t: f64) -> Vec<Light> {
        let hour = (t / DAY_S).fract() as f32 * 24.0;
        let day = daylight(hour);
        let lamp = 1.0 - ease(day * 1.6);
        let mut lights: Vec<Light> = self
            .home
            .rooms
            .iter()
            .map(|room| {
                let [x, y] = room.floor.centre();
                let windowed = |f: &crate::home::Fixture| f.room == room.id && f.kind == FixtureKind::Window;
                let lamp = if self.home.fixtures.iter().any(windowed) { lamp } else { lamp.max(0.75) };
                let even = 0.34 + 0.2 * day;
                let ceiling = 0.3 + 0.42 * lamp;
                Light {
                    ambient: [even + 0.04 * lamp, even + 0.01 * lamp, even - 0.03 * lamp + 0.02 * day],
                    lamps: vec![Lamp {
                        at: v(x, y, CEILING - 0.15),
                        rgb: [ceiling, ceiling * (1.0 - 0.06 * lamp), ceiling * (1.0 - 0.17 * lamp)],
                    }],
                }
            })
            .collect();
        for fixture in &self.home.fixtures {
            let on = *self.tracks.states[usize::from(fixture.id.0)].at(t);
            let (up, rgb) = match fixture.kind {
                FixtureKind::Window => (0.6, [0.58 * day, 0.59 * day, 0.62 * day]),
                FixtureKind::FloorLamp if on => (1.4, [0.45, 0.4, 0.28]),
                FixtureKind::Fireplace if on => (0.4, [0.5, 0.28, 0.1]),
                FixtureKind::Television if on => (0.9, [0.1, 0.14, 0.2]),
                _ => continue,
            };
            let at = fixture.at + fixture.front() * 0.3 + v(0.0, 0.0, up);
            lights[usize::from(fixture.room)].lamps.push(Lamp { at, rgb });
        }
        lights
    }
}

/// Faces +y in its own frame; yaw 0 looks along +x.
fn person_pose(footing: &Footing) -> Pose {
    Pose::upright(v(footing.at[0], footing.at[1], 0.0), footing.yaw - crate::math::PI / 2.0)
}

fn blob(at: Vec3, radius: [f32; 2], pose: &Pose, strength: f32) -> Blob {
    Blob { at, radius, axis: [pose.x.x, pose.x.y], strength }
}

/// Whether any part of a doorway lies in the picture or around the camera.
fn door_in_view(view: &View, door: &Door) -> bool {
    let middle = v(door.at[0], door.at[1], DOOR_HEIGHT / 2.0);
    (middle - view.at).length() < 1.2 || view.may_see_world(middle, 1.2)
}

/// 0 at night to 1 at noon.
pub(crate) fn daylight(hour: f32) -> f32 {
    ease((hour - 5.5) / 3.5) * ease((20.5 - hour) / 3.5)
}

fn sky(hour: f32) -> [u8; 3] {
    let day = daylight(hour);
    let low = ease(1.0 - (day - 0.45).abs() * 2.4);
    let mix = |night: f32, noon: f32, dusk: f32| {
        let plain = night + (noon - night) * day;
        (plain + (dusk - plain) * 0.55 * low) as u8
    };
    [mix(16.0, 178.0, 250.0), mix(22.0, 214.0, 170.0), mix(48.0, 245.0, 110.0)]
}
